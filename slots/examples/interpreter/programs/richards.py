# Martin Richards' benchmark: a simulated operating system's scheduler, written anew from its description.
# Six tasks pass packets; the counts at the end are known.
IDLE = 0
WORKER = 1
HANDLER_A = 2
HANDLER_B = 3
DEVICE_A = 4
DEVICE_B = 5
KIND_DEVICE = 0
KIND_WORK = 1
BUFFER = 4

class Packet:
    def __init__(self, link, task, kind):
        self.link = link
        self.task = task
        self.kind = kind
        self.datum = 0
        self.data = [0] * BUFFER

def append(packet, queue):
    packet.link = None
    if queue is None:
        return packet
    last = queue
    while last.link is not None:
        last = last.link
    last.link = packet
    return queue

class Scheduler:
    def __init__(self):
        self.queued = 0
        self.held = 0
        self.table = [None] * 6
        self.list = None
        self.current = None
        self.current_id = 0

    def add(self, task):
        self.table[task.id] = task
        self.list = task

    def schedule(self):
        task = self.list
        while task is not None:
            if task.holding or (task.waiting and not task.ready):
                task = task.link
            else:
                self.current = task
                self.current_id = task.id
                task = task.run_once()

    def find(self, id):
        return self.table[id]

    def release(self, id):
        task = self.find(id)
        task.holding = False
        if task.priority > self.current.priority:
            return task
        return self.current

    def hold(self):
        self.held += 1
        self.current.holding = True
        return self.current.link

    def wait(self):
        self.current.waiting = True
        return self.current

    def queue(self, packet):
        task = self.find(packet.task)
        self.queued += 1
        packet.link = None
        packet.task = self.current_id
        return task.accept(packet, self.current)

class Task:
    def __init__(self, scheduler, id, priority, queue):
        self.scheduler = scheduler
        self.id = id
        self.priority = priority
        self.input = queue
        self.link = scheduler.list
        self.holding = False
        self.waiting = True
        self.ready = queue is not None
        scheduler.add(self)

    def accept(self, packet, old):
        if self.input is None:
            self.input = packet
            self.ready = True
            if self.priority > old.priority:
                return self
        else:
            append(packet, self.input)
        return old

    def run_once(self):
        packet = None
        if self.waiting and self.ready:
            packet = self.input
            self.input = packet.link
            self.waiting = False
            self.ready = self.input is not None
        return self.step(packet)

class IdleTask(Task):
    def start(self, count):
        self.control = 1
        self.count = count
        self.waiting = False

    def step(self, packet):
        self.count -= 1
        if self.count == 0:
            return self.scheduler.hold()
        if self.control & 1 == 0:
            self.control = self.control // 2
            return self.scheduler.release(DEVICE_A)
        self.control = self.control // 2 ^ 53256
        return self.scheduler.release(DEVICE_B)

class DeviceTask(Task):
    pending = None

    def step(self, packet):
        if packet is None:
            if self.pending is None:
                return self.scheduler.wait()
            packet = self.pending
            self.pending = None
            return self.scheduler.queue(packet)
        self.pending = packet
        return self.scheduler.hold()

class HandlerTask(Task):
    work = None
    device = None

    def step(self, packet):
        if packet is not None:
            if packet.kind == KIND_WORK:
                self.work = append(packet, self.work)
            else:
                self.device = append(packet, self.device)
        work = self.work
        if work is not None:
            count = work.datum
            if count >= BUFFER:
                self.work = work.link
                return self.scheduler.queue(work)
            device = self.device
            if device is not None:
                self.device = device.link
                device.datum = work.data[count]
                work.datum = count + 1
                return self.scheduler.queue(device)
        return self.scheduler.wait()

class WorkTask(Task):
    def start(self):
        self.destination = HANDLER_A
        self.count = 0

    def step(self, packet):
        if packet is None:
            return self.scheduler.wait()
        if self.destination == HANDLER_A:
            self.destination = HANDLER_B
        else:
            self.destination = HANDLER_A
        packet.task = self.destination
        packet.datum = 0
        for i in range(BUFFER):
            self.count += 1
            if self.count > 26:
                self.count = 1
            packet.data[i] = 64 + self.count
        return self.scheduler.queue(packet)

def packets(count, task, kind):
    queue = None
    for i in range(count):
        queue = Packet(queue, task, kind)
    return queue

def run():
    scheduler = Scheduler()
    idle = IdleTask(scheduler, IDLE, 0, None)
    idle.start(10000)
    worker = WorkTask(scheduler, WORKER, 1000, packets(2, 0, KIND_WORK))
    worker.start()
    HandlerTask(scheduler, HANDLER_A, 2000, packets(3, DEVICE_A, KIND_DEVICE))
    HandlerTask(scheduler, HANDLER_B, 3000, packets(3, DEVICE_B, KIND_DEVICE))
    DeviceTask(scheduler, DEVICE_A, 4000, None)
    DeviceTask(scheduler, DEVICE_B, 5000, None)
    scheduler.schedule()
    return scheduler.queued == 23246 and scheduler.held == 9297

def main(times):
    good = True
    for i in range(times):
        good = run() and good
    print(good)

main(20)
