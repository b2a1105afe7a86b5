print("kernel-tests")
