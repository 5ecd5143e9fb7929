"""The ResourceProvider protocol: unpack the request, call `provider`, pack the answer."""

# ruff: noqa: N802 - the method names are the protocol's

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from typing import Any, Final, NoReturn, TypeVar

import grpc
from google.protobuf import any_pb2, empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from harness.plugin import configuration, diff, invoke, provider, settings
from harness.plugin.errors import PluginError, Unreachable
from harness.plugin.host import Host
from harness.plugin.objects import INPUTS
from harness.plugin.plan import Plan
from harness.plugin.session import Session
from harness.plugin.values import decode, encode

F = TypeVar("F", bound=Callable[..., Any])
_MODES: Final = provider_pb2.CheckRequest.AutonamingOptions
_KINDS: Final = {
    ("add", False): provider_pb2.PropertyDiff.ADD,
    ("add", True): provider_pb2.PropertyDiff.ADD_REPLACE,
    ("delete", False): provider_pb2.PropertyDiff.DELETE,
    ("delete", True): provider_pb2.PropertyDiff.DELETE_REPLACE,
    ("update", False): provider_pb2.PropertyDiff.UPDATE,
    ("update", True): provider_pb2.PropertyDiff.UPDATE_REPLACE,
}


def _abort(context: grpc.ServicerContext, problem: PluginError) -> NoReturn:
    """End the call with the problem; an object that exists but is not ready goes along."""
    if isinstance(problem, provider.InitFailed):
        detail = provider_pb2.ErrorResourceInitFailed(
            id=problem.identifier,
            properties=encode(problem.state),
            reasons=problem.reasons,
            inputs=encode(problem.inputs),
        )
        packed = any_pb2.Any()
        packed.Pack(detail)
        status = status_pb2.Status(code=2, message=str(problem), details=[packed])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(problem))


def _reported(method: F) -> F:
    """Turn a PluginError into the protocol's error."""

    @wraps(method)
    def wrapped(self: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except PluginError as problem:
            _abort(context, problem)

    return wrapped  # type: ignore[return-value]  # same signature, by construction


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """One provider process: configured once, then many requests at the same time."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._session = Session(settings.Settings(), host)

    def Handshake(self, request: Any, context: Any) -> Any:
        self._host.connect(request.engine_address)
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, supports_autonaming_configuration=True)

    def Attach(self, request: Any, context: Any) -> Any:
        self._host = Host()  # another engine: nothing has been said to it yet
        self._host.connect(request.address)
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=version("pulumi-kubernetes"))

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema='{"name": "kubernetes"}')

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        changed, replaces = configuration.compare(decode(request.olds), decode(request.news))
        some = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some, diffs=changed, replaces=replaces)

    @_reported
    def Configure(self, request: Any, context: Any) -> Any:
        arguments = decode(request.args)
        if refused := settings.refused(arguments):
            raise PluginError(f"the stand-in Kubernetes plugin does not support {refused[0]}")
        self._session = Session(settings.read(arguments), self._host)
        self._host.once("using Garrison's stand-in Kubernetes plugin (no official one installed)")
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, supports_autonaming_configuration=True
        )

    @_reported
    def Invoke(self, request: Any, context: Any) -> Any:
        found = invoke.call(request.tok, decode(request.args))
        answer: dict[str, Any] = {"return": encode(found)}  # a field named like a keyword
        return provider_pb2.InvokeResponse(**answer)

    @_reported
    def Construct(self, request: Any, context: Any) -> Any:
        raise PluginError(f"{request.type} is not supported by the stand-in Kubernetes plugin: register its objects")

    @_reported
    def Check(self, request: Any, context: Any) -> Any:
        names = provider.Autonaming(request.randomSeed, request.autonaming.proposed_name, _forbids_names(request))
        old, new = decode(request.olds), decode(request.news)
        inputs = provider.check(self._session, request.urn, old, new, names)
        return provider_pb2.CheckResponse(inputs=encode(inputs))

    @_reported
    def Diff(self, request: Any, context: Any) -> Any:
        old, new = decode(request.olds), decode(request.news)
        found = provider.diff(self._session, request.urn, old, new, request.ignoreChanges)
        return _answer(found)

    @_reported
    def Create(self, request: Any, context: Any) -> Any:
        identifier, state = provider.create(
            self._session,
            request.urn,
            decode(request.properties),
            request.timeout,
            preview=request.preview,
        )
        return provider_pb2.CreateResponse(id=identifier, properties=encode(state))

    @_reported
    def Read(self, request: Any, context: Any) -> Any:
        old, inputs = decode(request.properties), decode(request.inputs)
        try:
            state = provider.read(self._session, request.urn, request.id, old, inputs)
        except Unreachable as problem:
            return self._unreachable(request, problem)
        if state is None:
            return provider_pb2.ReadResponse(id="")
        return provider_pb2.ReadResponse(id=request.id, properties=encode(state), inputs=encode(state[INPUTS]))

    def _unreachable(self, request: Any, problem: Unreachable) -> Any:
        """Refresh without a cluster: fail, keep or drop, as the user chose."""
        chosen = self._session.settings
        if not (chosen.delete_unreachable or chosen.skip_unreachable):
            raise problem
        self._host.warning(f"not refreshed: {problem}", request.urn)
        if chosen.delete_unreachable:
            return provider_pb2.ReadResponse(id="")
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    @_reported
    def Update(self, request: Any, context: Any) -> Any:
        state = provider.update(
            self._session,
            request.urn,
            decode(request.olds),
            decode(request.news),
            request.timeout,
            request.ignoreChanges,
            preview=request.preview,
        )
        return provider_pb2.UpdateResponse(properties=encode(state))

    @_reported
    def Delete(self, request: Any, context: Any) -> Any:
        provider.delete(self._session, request.urn, decode(request.properties), request.timeout)
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        self._session.cancelled.set()
        return empty_pb2.Empty()


def _forbids_names(request: Any) -> bool:
    return bool(request.HasField("autonaming") and request.autonaming.mode == _MODES.DISABLE)


def _answer(found: Plan) -> Any:
    details = {
        diff.shown(path): provider_pb2.PropertyDiff(
            kind=_KINDS[kind, path in found.replaces], inputDiff=kind == "delete"
        )
        for path, kind in found.changes.items()
    }
    response = provider_pb2.DiffResponse
    return response(
        changes=response.DIFF_SOME if details else response.DIFF_NONE,
        replaces=sorted(map(diff.shown, found.replaces)),
        deleteBeforeReplace=found.delete_first,
        detailedDiff=details,
        hasDetailedDiff=True,
    )
