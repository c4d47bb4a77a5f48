from smalt.http.paging import After, Direction, Limit, listed
from smalt.http.routing import Router
from smalt.store.paging import Page


def test_a_page_tells_its_first_and_last_and_whether_more_follows() -> None:
    page = listed(Page([1, 2, 3], has_more=True), lambda number: {"id": f"n{number}"})
    assert page == {
        "object": "list",
        "data": [{"id": "n1"}, {"id": "n2"}, {"id": "n3"}],
        "first_id": "n1",
        "last_id": "n3",
        "has_more": True,
    }


def test_an_empty_page_has_no_first_and_no_last() -> None:
    empty: Page[int] = Page([], has_more=False)
    page = listed(empty, lambda number: {"id": number})
    assert (page["data"], page["first_id"], page["last_id"], page["has_more"]) == ([], None, None, False)


async def test_paging_parameters_are_checked(run) -> None:
    router = Router()

    @router.get("/numbers")
    async def numbers(after: After = None, limit: Limit = 20, order: Direction = "asc") -> dict[str, object]:
        return {"after": after, "limit": limit, "order": order}

    running = await run(router)
    answer = await running.client.get("/v1/numbers?after=x&limit=5&order=desc")
    assert answer.json() == {"after": "x", "limit": 5, "order": "desc"}
    for query, param in [("limit=0", "limit"), ("limit=101", "limit"), ("order=up", "order")]:
        response = await running.client.get(f"/v1/numbers?{query}")
        assert (response.status_code, response.json()["error"]["param"]) == (400, param)
