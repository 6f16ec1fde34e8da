"""uvicorn's HTTP by httptools, with a limit for the head of a request, which it leaves open."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["LimitedHttpProtocol"]

HEAD_MAX_BYTES = 65_536


class LimitedHttpProtocol(HttpToolsProtocol):
    """Ends a connection whose request line and headers go on and on."""

    _head_bytes: int | None = None

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        before = self._head_bytes
        super().data_received(data)
        if before is not None and self._head_bytes is not None:
            self._head_bytes = before + len(data)
            if self._head_bytes > HEAD_MAX_BYTES:
                self.send_400_response("The head of the request is too large.")
