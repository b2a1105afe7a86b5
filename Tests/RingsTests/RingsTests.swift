// RingsTests
