"""The docs page and the OpenAPI text name every route, and load nothing from elsewhere."""

import pytest

from plait.server.http.app import all_routes, routes_table


def test_openapi_holds_every_route_and_every_body(client):
    api = client.get("/openapi.json").json()
    operations = {
        (method.upper(), path): operation
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == set(routes_table())
    for route in all_routes():
        operation = operations[route.method, route.path.replace(":text", "")]
        assert operation["x-permission"] == route.permission
        assert ("security" in operation) == (route.permission != "open")
        assert ("requestBody" in operation) == (route.body is not None or route.free)
    assert api["components"]["schemas"]["Recommend"]["additionalProperties"] is False


def test_every_reference_in_openapi_leads_somewhere(client):
    api = client.get("/openapi.json").json()
    schemas = api["components"]["schemas"]

    def references(value):
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for inner in value.values():
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    targets = set(references(api))
    assert targets
    assert {target.removeprefix("#/components/schemas/") for target in targets} <= set(schemas)


def unrestricted(value, *path):
    """The paths of the schemas that every value satisfies: `{}`, or a description alone."""
    if isinstance(value, dict):
        if not set(value) - {"title", "description", "default"} and path[-1:] != ("properties",):
            yield path
        for key, inner in value.items():
            yield from unrestricted(inner, *path, key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from unrestricted(inner, *path, index)


def test_no_schema_of_openapi_allows_anything(client):
    assert list(unrestricted(client.get("/openapi.json").json())) == []


@pytest.mark.parametrize("schema", [{}, {"items": {}}, {"properties": {"a": {"title": "A"}}}])
def test_a_schema_that_allows_anything_is_found(schema):
    assert list(unrestricted(schema))


def test_every_answer_but_text_has_a_json_schema(client):
    api = client.get("/openapi.json").json()
    for path, methods in api["paths"].items():
        for operation in methods.values():
            expected = {"/metrics": "text/plain", "/docs": "text/html"}.get(path)
            content = operation["responses"]["200"]["content"]
            assert [name.partition(";")[0] for name in content] == [expected or "application/json"]


def test_the_page_names_every_route(client):
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for method, path in routes_table():
        assert f"{method} {path}" in page.text
    assert "<script" not in page.text
    assert "//" not in page.text


def test_ids_are_declared_as_what_is_taken(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for model, field in (("Rank", "items"), ("Recommend", "exclude"), ("RecommendBatch", "users")):
        text, number = schemas[model]["properties"][field]["items"]["anyOf"]
        assert (text["type"], text["minLength"], text["maxLength"]) == ("string", 1, 512)
        assert number["type"] == "integer"
    for field in ("id", "user", "item", "request_id"):
        declared = schemas["EventRow"]["properties"][field]["anyOf"]
        assert {"type": "string", "maxLength": 512}.items() <= declared[0].items()
        assert declared[1]["type"] == "integer"
    rows = [{"kind": "view", "user": 7, "item": 11}]
    assert client.post("/v1/events", json={"events": rows}).json()["rows"][0]["status"] == "stored"
    assert client.post("/v1/recommend", json={"user": 7, "k": 3.0}).status_code == 200


def test_batches_and_free_bodies_are_bounded_and_429_is_declared(client):
    api = client.get("/openapi.json").json()
    schemas = api["components"]["schemas"]
    assert schemas["Events"]["properties"]["events"]["maxItems"] == 50  # the setting batch_limit
    assert schemas["Items"]["properties"]["items"]["maxItems"] == 50
    put = api["paths"]["/v1/items/{id}"]["put"]
    free = put["requestBody"]["content"]["application/json"]["schema"]
    assert (free["maxProperties"], free["propertyNames"]["maxLength"]) == (1000, 200)
    assert put["parameters"][0]["schema"]["minLength"] == 1
    assert "Retry-After" in put["responses"]["429"]["headers"]
    assert "429" not in api["paths"]["/health"]["get"]["responses"]
