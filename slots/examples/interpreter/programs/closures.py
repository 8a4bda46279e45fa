def counter():
    count = 0
    def next():
        nonlocal count
        count = count + 1
        return count
    return next

first = counter()
first()
first()
print(first())

def sum_to(n):
    def go(i, total):
        if i > n:
            return total
        return go(i + 1, total + i)
    return go(1, 0)

print(sum_to(4))
print(sum_to(10))

def run(n):
    bump = counter()
    last = 0
    while last < n:
        last = bump()
    return last

print(run(1500000))
