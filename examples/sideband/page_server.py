"""The server of a page whose caller speaks WebRTC with the provider, while turnspec decides the turns beside it.

`PORT=8000 python examples/sideband/page_server.py`. OPENAI_API_KEY stays here; DOOR_URL and DOOR_TOKEN are those of
turnspec's door. OPENAI_BASE_URL may be a simulated provider's. Who may call is yours to say: a login before /session.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

HERE = Path(__file__).parent
SDP_MAX_BYTES = 65_536
# Nothing is answered before turnspec is there: it asks for every answer itself (spec owned_turns).
SESSION = {
    "type": "realtime",
    "model": os.environ.get("OPENAI_MODEL", "gpt-realtime"),
    "audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}},
}


def openai(path: str) -> str:
    return os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/") + path


def door(path: str) -> str:
    return os.environ.get("DOOR_URL", "http://127.0.0.1:9080").rstrip("/") + path


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {os.environ.get(name, '')}"}


async def begin(request: Request) -> Response:
    """The browser's offer, taken to the provider; the call it has become, taken to turnspec; the answer, taken back."""
    offer = b""
    async for part in request.stream():
        offer += part
        if len(offer) > SDP_MAX_BYTES:
            return Response("the offer is too long", 413)
    try:
        async with httpx2.AsyncClient(timeout=10) as client:
            session = json.dumps(SESSION).encode()
            form = {"sdp": (None, offer, "application/sdp"), "session": (None, session, "application/json")}
            answer = await client.post(openai("/realtime/calls"), files=form, headers=bearer("OPENAI_API_KEY"))
            if answer.status_code != 201:
                return Response(f"the provider says {answer.status_code}", 502)
            call_id = answer.headers["location"].rpartition("/")[2]
            taken = await client.post(door("/calls"), json={"call_id": call_id}, headers=bearer("DOOR_TOKEN"))
            if taken.status_code != 201:  # nobody would answer: better no call than a silent one
                end = openai(f"/realtime/calls/{call_id}/hangup")
                await client.post(end, headers=bearer("OPENAI_API_KEY"))
                return Response(f"turnspec says {taken.status_code}", 502)
    except httpx2.HTTPError as error:
        return Response(f"no answer: {type(error).__name__}", 504)
    return Response(answer.text, 201, {"x-call-id": call_id}, "application/sdp")


async def state(request: Request) -> Response:
    """What turnspec makes of the call: who has the floor."""
    try:
        async with httpx2.AsyncClient(timeout=5) as client:
            found = await client.get(door(f"/calls/{request.path_params['call_id']}"), headers=bearer("DOOR_TOKEN"))
    except httpx2.HTTPError:
        return JSONResponse({"state": "?"}, 504)
    return JSONResponse({"state": found.json().get("state", "over")}, found.status_code)


def page_app() -> Starlette:
    return Starlette(
        routes=[
            Route("/", lambda _request: FileResponse(HERE / "index.html")),
            Route("/page.js", lambda _request: FileResponse(HERE / "page.js")),
            Route("/session", begin, methods=["POST"]),
            Route("/calls/{call_id:str}", state),
        ]
    )


if __name__ == "__main__":
    uvicorn.run(page_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
