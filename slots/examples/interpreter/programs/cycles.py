class Parent:
    __slots__ = ["children"]
    def __init__(self):
        self.children = []

class Child:
    def __init__(self, parent, number):
        self.parent = parent
        self.number = number
        def me():
            return self
        self.me = me

def family(size):
    parent = Parent()
    for i in range(size):
        parent.children.append(Child(parent, i))
    return parent

def local_class(i):
    class Local:
        value = i
        def get(self):
            return Local.value + self.value
    return Local().get()

def main():
    total = 0
    for i in range(20000):
        parent = family(3)
        total += parent.children[0].me().parent.children[1].number
        if local_class(i) != 2 * i:
            print("wrong")
    collect()
    print(total)

main()
