class Node:
    def __init__(self, left, right):
        self.left = left
        self.right = right

def make(depth):
    if depth == 0:
        return Node(None, None)
    return Node(make(depth - 1), make(depth - 1))

def check(node):
    if node.left is None:
        return 1
    return 1 + check(node.left) + check(node.right)

def main(deepest):
    long_lived = make(deepest)
    depth = 4
    while depth < deepest:
        iterations = 1 << (deepest - depth + 7)
        total = 0
        for i in range(iterations):
            total += check(make(depth))
        print(str(iterations) + " trees of depth " + str(depth) + ": " + str(total))
        depth += 4
    print("long lived tree of depth " + str(deepest) + ": " + str(check(long_lived)))

main(14)
