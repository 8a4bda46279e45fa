import threading
try:
    import queue
except ImportError:
    import Queue as queue


class Job(object):
    deaths = 0

    def __init__(self, number):
        self.number = number
        self.body = b"x" * (64 + number % 192)

    def __del__(self):
        Job.deaths += 1


def turn(setting):
    n, forget_in = setting["jobs"], setting["forget_in"]
    Job.deaths = 0
    jobs, batch, total, kept = queue.Queue(setting["queue"] // 32), 32, [0], []

    def produce():
        for first in range(0, n, batch):
            jobs.put([Job(i) for i in range(first, min(first + batch, n))])
        jobs.put(None)

    def consume():
        while True:
            got = jobs.get()
            if got is None:
                return
            total[0] += sum(job.number for job in got)
            if forget_in:
                kept.extend(job for job in got if job.number % forget_in == 0)

    start = clock()
    threads = [threading.Thread(target=produce), threading.Thread(target=consume)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end = clock()
    deaths = Job.deaths
    del kept[:]
    return {
        "times": [["job", (end - start) / float(n)]],
        "counts": [["deaths", deaths], ["sum of all numbers", total[0]]],
    }
