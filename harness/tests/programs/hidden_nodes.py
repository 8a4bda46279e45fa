"""1,234 nodes, each held by an instance of an extension type without tp_traverse, and by nothing else"""
import hidden
KEEP = []
class Node:
    def __init__(self, n): self.n = n
def main(n=1234):
    KEEP.extend(hidden.Holder(Node(k)) for k in range(n))
