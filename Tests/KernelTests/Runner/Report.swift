/// Why a check did not hold.
struct Failure: Error {
    let message: String
    init(_ message: String) { self.message = message }
}

/// Why a check can't be made here; it is said aloud.
struct Skip: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// Throws a ``Failure`` unless `condition` holds.
func expect(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw Failure(message()) }
}

func expectEqual<T: Equatable>(_ actual: T, _ expected: T, _ what: @autoclosure () -> String) throws {
    if actual != expected { throw Failure("\(what()): \(actual), expected \(expected)") }
}

/// Prints one line a check, and counts them.
struct Report {
    private(set) var passed = 0
    private(set) var failed = 0
    private(set) var skipped = 0

    /// One check under its name.
    mutating func check(_ name: String, _ body: () throws -> Void) {
        do {
            try body()
            passed += 1
            print("ok \(name)")
        } catch let skip as Skip {
            self.skip(name, skip.reason)
        } catch let failure as Failure {
            fail(name, failure.message)
        } catch {
            fail(name, "\(error)")
        }
    }

    mutating func fail(_ name: String, _ why: String) {
        failed += 1
        // One line whatever the message quotes.
        print("not ok \(name): \(why.split(whereSeparator: \.isNewline).joined(separator: " | "))")
    }

    mutating func skip(_ name: String, _ reason: String) {
        skipped += 1
        print("skip \(name): \(reason)")
    }
}
