"""What a wrong password is told at the login page: one thing, so that nobody learns who there is.

OpenBao says the same of a wrong password and of nobody (400), until it locks a name after too many of them (403): only
a name that there is can be locked. Here both become the first. What is left is time: a locked name is refused without
the 0.1 s of a password's hash. Limits per address make that slow to ask, and SECURITY.md says so.
"""

from __future__ import annotations

from typing import Any, Final

from garrison.derive.mesh.envoy import typed

Json = dict[str, Any]
FILTER: Final = "alike"
SAID: Final = '{"errors":["invalid username or password"]}\\n'  # OpenBao's own words
_LUA: Final = "extensions.filters.http.lua.v3.Lua"
_SCRIPT: Final = f"""\
function envoy_on_response(answer)
  if answer:headers():get(":status") == "403" then
    local length = answer:body(true):setBytes('{SAID}')
    answer:headers():replace("content-length", length)
    answer:headers():replace(":status", "400")
  end
end
"""


def alike() -> Json:
    """The filter, which leaves every answer as it is but where a route says otherwise."""
    return {"name": FILTER, "typed_config": typed(_LUA)}


def at_password() -> Json:
    """What the route of the password says."""
    return {FILTER: typed(f"{_LUA}PerRoute", source_code={"inline_string": _SCRIPT})}
