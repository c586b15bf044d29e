"""What the app shows to browsers: its pages, its bundle, its errors, its forgotten test routes."""

from __future__ import annotations

from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.parts import Parts

PRIVATE: Final = {"cache-control": "private, no-store"}
_YEAR: Final = "s-maxage=31536000, stale-while-revalidate"
_DEBUG_PATHS: Final = (
    "/api/debug",
    "/api/debug/receipts",
    "/api/auth/test",
    "/api/test-openai",
    "/api/test-db",
)


class Pages:
    """Pages and error answers; what leaks here leaks by a fault."""

    def __init__(self, parts: Parts) -> None:
        self._faults = parts.faults
        self._identity = parts.identity
        self._database = parts.database
        self._deployment = parts.deployment
        self._now = parts.now

    def routes(self) -> list[Route]:
        """Return the pages, the bundle and the debug routes."""
        return [
            Route("/", self._home),
            Route("/login", self._login),
            Route("/dashboard", self._signed_in),
            Route("/receipts", self._signed_in),
            Route("/_next/static/chunks/{name}", self._bundle),
            *(Route(path, self._debug) for path in _DEBUG_PATHS),
        ]

    def error(self, status: int, message: str, **more: object) -> JSONResponse:
        """Return an API's error; with a stack trace where the fault is on."""
        body = {"error": message, **more}
        if Fault.SECURITY_STACK_TRACE in self._faults:
            body["stack"] = self._stack(message)
        return JSONResponse(body, status_code=status, headers=PRIVATE)

    def not_found(self, _: Request) -> Response:
        """Return the 404 that Next.js renders, as HTML, also for API paths."""
        return self._html("404: This page could not be found.", status=404, cache="no-store")

    async def http_error(self, request: Request, error: Exception) -> Response:
        """Turn the router's own refusals into the app's answers."""
        status = getattr(error, "status_code", 500)
        if status == 404:
            return self.not_found(request)
        return self.error(status, "Method not allowed" if status == 405 else "Bad request")

    async def crash(self, _: Request, error: Exception) -> Response:
        """Answer what the app's own code raised."""
        return self.error(500, "Internal server error", type=type(error).__name__)

    async def _home(self, _: Request) -> Response:
        return self._html("Steward: ask your receipts.", cache=_YEAR)

    async def _login(self, _: Request) -> Response:
        response = self._html("Sign in", cache="private, no-store")
        safe = Fault.SECURITY_INSECURE_COOKIE not in self._faults
        response.set_cookie(
            "steward-csrf",
            "simulated",
            secure=safe,
            httponly=safe,
            samesite="lax" if safe else None,
        )
        return response

    async def _signed_in(self, request: Request) -> Response:
        user = self._identity.user_of_cookies(request.cookies, now=self._now())
        if user is None:
            return RedirectResponse("/login", status_code=307)
        return self._html(f"Signed in as {user.email}", cache="private, no-store")

    async def _bundle(self, _: Request) -> Response:
        script = "export const publishable = " + repr(self._identity.anon_key) + ";\n"
        script += "function render(){document.title='Steward'}\n" * 200
        if Fault.SECURITY_SECRET_IN_JS in self._faults:
            script += f"const key = {self._identity.service_role_key!r};\n"
            script += f"const ai = {self._identity.openai_key!r};\n"
        if Fault.PAGE_HEAVY in self._faults:
            script += "// " + "padding " * 400_000
        headers = {"cache-control": "public, max-age=31536000, immutable"}
        return Response(script, media_type="application/javascript", headers=headers)

    async def _debug(self, request: Request) -> Response:
        if Fault.SECURITY_DEBUG_ROUTES not in self._faults:
            return self.not_found(request)
        return JSONResponse(
            {"ok": True, "path": request.url.path, "env": {"NODE_ENV": "production"}, "users": 2}
        )

    def _html(self, text: str, *, cache: str, status: int = 200) -> HTMLResponse:
        version = escape(self._deployment.version)
        stack = ""
        if status >= 400 and Fault.SECURITY_STACK_TRACE in self._faults:
            stack = f"<pre>{escape(self._stack(text))}</pre>"
        return HTMLResponse(
            "<!doctype html><html lang=en><head><meta charset=utf-8><title>Steward</title>"
            f'<meta name="version" content="{version}">'
            f'<script src="/_next/static/chunks/main-{self._deployment.id[4:12]}.js" defer>'
            f"</script></head><body><main><h1>{escape(text)}</h1>{stack}"
            + "<p>Receipts, read and understood.</p>" * 40
            + "</main></body></html>",
            status_code=status,
            headers={"cache-control": cache},
        )

    def _stack(self, message: str) -> str:
        return (
            f"PrismaClientKnownRequestError: {message}\n"
            "    at $n.handleRequestError (/var/task/node_modules/@prisma/runtime.js:121:7)\n"
            "    at async POST (/var/task/.next/server/app/api/agent/query/route.js:1:2345)\n"
            f"    datasource: {self._database.direct_url}"
        )
