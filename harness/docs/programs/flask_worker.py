"""A Flask worker: replies that are computed once are kept in CACHE, by user and page.   BOUND=n keeps the newest n."""
import logging
import os

from flask import Flask, jsonify, render_template_string, request

logging.disable(logging.CRITICAL)
app = Flask("worker")
CACHE = {}
BOUND = int(os.environ.get("BOUND", "0"))
PAGE = "<ul>{% for row in rows %}<li>{{ row.name }}: {{ '%.2f' % row.price }}</li>{% endfor %}</ul>"


@app.post("/basket")
def basket():
    body = request.get_json()
    CACHE["%d/%d" % (body["user"], body["page"])] = body
    if BOUND and len(CACHE) > BOUND:
        del CACHE[next(iter(CACHE))]
    return jsonify(items=len(body["items"]), total=sum(item["price"] for item in body["items"]))


@app.get("/list/<int:length>")
def listing(length):
    return render_template_string(PAGE, rows=[{"name": "item %d" % k, "price": k * 1.5} for k in range(length)])


def serve(first, last):
    client = app.test_client()
    for number in range(first, last):
        if number % 4:
            items = [{"sku": "s%d-%d" % (number, k), "price": k * 0.5} for k in range(number % 30)]
            client.post("/basket", json={"user": number, "page": number % 7, "items": items})
        else:
            client.get("/list/%d" % (number % 60))


def dumped(first, second):
    """two dumps of one process, after 500 and after 1,000 requests"""
    import cpymem_dump
    serve(0, 500)
    cpymem_dump.dump_forked(first, wait=True)
    serve(500, 1000)
    cpymem_dump.dump_forked(second, wait=True)
