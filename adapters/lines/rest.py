"""What somebody's HTTP API is told of a call: within one deadline, and again only where that is safe. Never whose API.

What may not be done twice is sent again only where the other side cannot have acted: no connection, or 429.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs
import structlog
from attrs.validators import ge, gt

if TYPE_CHECKING:
    import httpx2

log = structlog.get_logger(__name__)

ANSWER_MAX_BYTES: Final = 65_536


@attrs.frozen(kw_only=True)
class RestLimits:
    """Of one request."""

    deadline_s: float = attrs.field(default=5.0, validator=gt(0))
    """With all its tries: the caller waits."""
    connect_s: float = attrs.field(default=2.0, validator=gt(0))
    tries: int = attrs.field(default=3, validator=ge(1))
    again_s: float = attrs.field(default=0.25, validator=gt(0))


@attrs.frozen
class RestProblem:
    """Why it was not done. `is_over`: there is no such call any more. `is_unknown`: it may have been done."""

    text: str
    status: int = 0
    is_over: bool = False
    is_unknown: bool = False


class RestTeller:
    """`tell` for each request. `problem_of` reads an answer that is not 2xx, by its status and (bounded) body."""

    def __init__(
        self,
        client: httpx2.AsyncClient,
        limits: RestLimits,
        problem_of: Callable[[int, bytes], RestProblem],
        whose: str,
    ) -> None:
        """`whose`: the API, as log events begin."""
        self._client = client
        self._limits = limits
        self._problem_of = problem_of
        self._whose = whose

    async def tell(self, request: httpx2.Request, what: str, *, may_repeat: bool) -> RestProblem | None:
        """None: it is done. Returns within the deadline, and raises nothing that the other side is to blame for."""
        try:
            async with asyncio.timeout(self._limits.deadline_s):
                return await self._try(request, what, may_repeat)
        except TimeoutError:
            within = f"within {self._limits.deadline_s:g} s"
            return RestProblem(f"no answer {within}; whether it was done is not known", is_unknown=True)

    async def _try(self, request: httpx2.Request, what: str, may_repeat: bool) -> RestProblem | None:
        import httpx2

        for left in reversed(range(self._limits.tries)):
            try:
                problem = await self._send(request)
                is_safe = problem is not None and problem.status == 429
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
                problem, is_safe = RestProblem(f"cannot connect: {_said(error)}"), True
            except httpx2.HTTPError as error:
                problem, is_safe = RestProblem(f"the connection failed: {_said(error)}", is_unknown=True), may_repeat
            if problem is None:
                return None
            if not left or not (is_safe or (may_repeat and problem.status >= 500)):
                return problem
            log.warning(f"{self._whose}_request_again", what=what, why=problem.text)
            await asyncio.sleep(self._limits.again_s)
        return None

    async def _send(self, request: httpx2.Request) -> RestProblem | None:
        response = await self._client.send(request, stream=True)
        try:
            status = response.status_code
            if 200 <= status < 300:
                return None
            body = b""
            async for part in response.aiter_bytes():
                body = (body + part)[:ANSWER_MAX_BYTES]
                if len(body) == ANSWER_MAX_BYTES:
                    break
        finally:
            await response.aclose()
        return self._problem_of(status, body)


def _said(error: Exception) -> str:
    """Some of the library's errors have no words."""
    return str(error) or type(error).__name__
