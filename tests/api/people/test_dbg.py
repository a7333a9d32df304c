from tests.api.people.test_casework import open_disputes, PersonClient
def test_x(person_client):
    c=person_client
    for item in ("w1","t-ann-zeb","t-zeb-ann","p2","p3"):
        r=c.call("POST", "/me/disputes", {"contributor": "bank", "event_id": item}); c.refresh()
        if r.status_code!=201: print(item, r.json()); continue
        n=r.json()["dispute_id"]
        print(item, c.get("/me")["score"], c.get(f"/disputes/{n}/effect",caller="operator"))
    print([(i["kind"],i["contributor"],i["event_id"]) for i in c.get("/me/evidence")["items"]])
    assert 0
