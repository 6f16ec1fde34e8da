"""Names that a field or a service cannot have, since something else has them."""

from backend.scaffold.imported import IMPORTED

__all__ = [
    "CLASSES_IN_THE_MODULES",
    "IN_THE_MODULES",
    "OF_POSTGRESQL",
    "OF_THE_LIST",
    "OF_THE_MODEL",
    "OF_THE_SCHEMA",
    "SERVER_OWNED",
    "SERVICES",
    "VARIABLES_IN_THE_MODULES",
]

SERVER_OWNED = {"id", "owner_id", "created_at", "updated_at"}
OF_POSTGRESQL = {"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"}
OF_THE_MODEL = {"metadata", "registry", "type_annotation_map"}
OF_THE_SCHEMA = {
    *("construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw"),
    *("schema", "schema_json", "update_forward_refs", "validate"),
}
IN_THE_MODULES = {
    *("bool", "cls", "date", "datetime", "decimal", "float", "int", "literal_column"),
    *("mapped_column", "new_id", "or_", "paginate", "select", "self", "str", "utc_now", "uuid"),
}
OF_THE_LIST = {
    *("cursor", "data", "limit", "search", "session", "sort", "statement", "user"),
}
SERVICES = {"auth", "email", "emails", "users"}
CLASSES_IN_THE_MODULES = {
    name for names in IMPORTED.values() for name in names.split() if name[0].isupper()
}
VARIABLES_IN_THE_MODULES = {
    *("account", "admin", "body", "cursor", "data", "error", "fake", "given", "jane", "john"),
    *("limit", "made", "method", "name", "other", "page", "query", "response"),
    *("router", "search", "seed"),
    *("session", "sort", "statement", "text", "update", "url", "user", "value"),
}
