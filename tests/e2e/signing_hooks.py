"""For schemathesis' command: signs each of its requests as a client of `serve` does. PIXMILL_ENDPOINT, AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY say whose."""
import os
import types
import urllib.parse

import requests
import schemathesis

from api import Serve

SERVE = Serve(types.SimpleNamespace(endpoint=os.environ["PIXMILL_ENDPOINT"], access_key=os.environ["AWS_ACCESS_KEY_ID"],
                                    secret_key=os.environ["AWS_SECRET_ACCESS_KEY"]))


class Signature(requests.auth.AuthBase):
    def __call__(self, request):
        url = urllib.parse.urlsplit(request.url)
        pairs = sorted(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        query = urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote, safe="")
        body = request.body.encode() if isinstance(request.body, str) else request.body
        headers = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        request.headers.update(SERVE.sign(request.method, f"{url.scheme}://{url.netloc}{url.path}" + (f"?{query}" if query else ""), headers, body))
        return request


schemathesis.auth.set_from_requests(Signature())
