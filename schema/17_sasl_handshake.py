"""SaslHandshake."""

from schema.language import api, array, int16, string

API = api(
    key=17,
    name="SaslHandshake",
    versions="0-1",
    advertised="0-1",
    flexible=None,
    listeners="broker controller",
    request=[string("mechanism")],
    response=[int16("error_code"), array("mechanisms", string)],
)
