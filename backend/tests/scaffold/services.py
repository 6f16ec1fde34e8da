"""Services in which every type, every modifier and both kinds of owner occur."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.scaffold.grammar import parse_service
from backend.scaffold.render import render_service
from backend.scaffold.spec import Owner, ServiceSpec

__all__ = ["SERVICES", "render_all"]


@dataclass(frozen=True)
class Asked:
    """What is typed after `backend service new`."""

    name: str
    fields: str
    owner: Owner

    @property
    def spec(self) -> ServiceSpec:
        return parse_service(self.name, self.fields.split(), self.owner)


# In the order of the foreign keys.
SERVICES = (
    Asked("news", "text:str:immutable", "none"),
    Asked(
        "categories",
        "name:str:max=40:unique:sort:filter slug:str:max=5:unique "
        "position:int:min=1:max=500:sort is_hidden:bool:default=false "
        "group:enum:goods:default=goods parent:ref:categories:optional:setnull",
        "none",
    ),
    Asked(
        "clients",
        "name:str:max=80:unique:search:sort email:email:unique:optional:search:filter "
        "website:url:optional:search:sort phone:str:max=30:optional:index "
        "notes:text:optional:search",
        "user",
    ),
    Asked(
        "projects",
        "title:str:max=120:search status:enum:draft,live:default=draft due_on:date:optional "
        "budget:decimal:12.2:min=0 client:ref:clients:restrict",
        "user",
    ),
    Asked(
        "invoices",
        "number:bigint:immutable:unique:min=1 state:enum:open,paid:readonly:default=open:sort "
        "secret:str:private:min=8:max=64 paid_at:datetime:readonly:optional:sort "
        "amount:decimal:12.2:immutable:min=0.01:max=9999999.5:sort:filter "
        "currency:str:min=3:max=3:default=EUR client:ref:clients:immutable "
        "delivery:ref:clients:optional:setnull is_sent:bool:readonly:default=true "
        "vat:decimal:4.4:default=0.19:max=0.5 discount:float:default=0.5 "
        "memo:json:private:optional hash:str:private:readonly:optional:unique",
        "user",
    ),
    Asked(
        "measurements",
        "category:ref:categories:cascade previous:ref:measurements:optional:cascade "
        "order:int:min=0:index level:int:default=3:min=1:max=5:sort:filter "
        "count:bigint:optional:sort total:bigint:max=-5 offset:int "
        "ratio:float:min=0:max=1:sort drift:float:optional:sort:index "
        "taken_at:datetime:unique:filter:sort day:date:default=2030-01-01:sort:filter "
        "until:date:optional:immutable:sort device:uuid:optional:filter:immutable "
        "serial:uuid:unique payload:json raw:json:optional "
        "weight:decimal:5.3:optional:sort:filter "
        "type:enum:by-hand,by_machine,UNKNOWN,counted:filter:sort kind:str:max=3:sort "
        "code:str:min=30:max=60:search:sort contact:email:sort",
        "user",
    ),
)


def render_all() -> Mapping[str, str]:
    """The files of all of them."""
    targets = {asked.name: asked.spec.as_target for asked in SERVICES}
    files: dict[str, str] = {}
    for asked in SERVICES:
        files |= render_service(asked.spec, targets)
    return files
