"""The docs page and the OpenAPI text name every route, and load nothing from elsewhere."""

from plait.server.http.app import all_routes, routes_table


def test_openapi_holds_every_route_and_every_body(client):
    api = client.get("/openapi.json").json()
    found = {
        (method.upper(), path): said
        for path, methods in api["paths"].items()
        for method, said in methods.items()
    }
    assert set(found) == set(routes_table())
    for route in all_routes():
        said = found[route.method, route.path.replace(":text", "")]
        assert said["x-permission"] == route.permission
        assert ("security" in said) == (route.permission != "open")
        assert ("requestBody" in said) == (route.body is not None or route.free)
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

    found = set(references(api))
    assert found
    assert {one.removeprefix("#/components/schemas/") for one in found} <= set(schemas)


def test_the_page_names_every_route(client):
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for method, path in routes_table():
        assert f"{method} {path}" in page.text
    assert "<script" not in page.text
    assert "//" not in page.text
