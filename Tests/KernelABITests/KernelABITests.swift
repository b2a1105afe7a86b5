// KernelABITests
