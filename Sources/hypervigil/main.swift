print("hypervigil")
