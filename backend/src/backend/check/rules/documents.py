"""The documents and the project."""

from collections.abc import Iterator

from backend.check.documents import Documents
from backend.check.finding import Finding, Place
from backend.check.registry import rule

__all__: list[str] = []


@rule("BK107", "What the documents name exists", facts="documents")
def documents_are_true(documents: Documents) -> Iterator[Finding]:
    for item in documents.wrong:
        yield Finding(
            "BK107",
            Place(str(item.document), item.line),
            f"{item.what} {item.name}",
            f"The document names the {item.what} `{item.name}`: {item.why}.",
            "Correct the name, or what the sentence says.",
        )
