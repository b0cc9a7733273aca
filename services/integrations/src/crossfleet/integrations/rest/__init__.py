"""REST over the use cases, with an OpenAPI 3.1 description."""
