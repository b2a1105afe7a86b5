import Foundation

/// One line of `watch --format json`.
struct Event {
    let fields: [String: Any]
    let line: String
    // Each event is asked for these by every row of the table, which takes minutes in an emulated guest where they are looked up each time.
    let action: String
    let pid: Int
    let path: String
    let target: String
    let isOfFile: Bool

    init(line: Data) throws {
        self.line = String(decoding: line, as: UTF8.self)
        guard String(validating: line, as: UTF8.self) != nil else { throw Failure("not UTF-8: \(self.line)") }
        do {
            guard let fields = try JSONSerialization.jsonObject(with: line) as? [String: Any] else {
                throw Failure("not an object: \(self.line)")
            }
            self.fields = fields
            func value(_ section: String, _ name: String) -> Any? { (fields[section] as? [String: Any])?[name] }
            action = value("event", "action") as? String ?? ""
            pid = (value("process", "pid") as? NSNumber)?.intValue ?? -1
            path = value("file", "path") as? String ?? ""
            target = value("file", "target_path") as? String ?? ""
            let category = value("event", "category")
            isOfFile = category as? String == "file" || (category as? [String])?.contains("file") == true
        } catch let error as NSError {
            throw Failure("not JSON (\(error.localizedDescription)): \(self.line)")
        }
    }

    /// A field by its dotted name.
    subscript(_ name: String) -> Any? {
        var value: Any? = fields
        for part in name.split(separator: ".") {
            value = (value as? [String: Any])?[String(part)]
        }
        return value
    }

    func string(_ name: String) -> String? { self[name] as? String }
    func strings(_ name: String) -> [String]? { self[name] as? [String] }
    func flag(_ name: String) -> Bool { self[name] as? Bool ?? false }

    /// A JSON number; nil where it is a string, as identifiers are.
    func number(_ name: String) -> Int? { (self[name] as? NSNumber)?.intValue }

    /// It says that the kernel skipped a program.
    var tellsOfPreemption: Bool { action == "lost" && (string("hypervigil.lost.reason") ?? line).contains("preempted inside it") }

    var outcome: String { string("event.outcome") ?? "" }

    func has(_ name: String, _ expected: String) throws {
        let value = self[name]
        if value as? String != expected { throw Failure("\(name) is \(value.map { "\($0)" } ?? "absent"), expected \(expected) in \(line)") }
    }

    func has(_ name: String, _ expected: Int) throws {
        let value = self[name]
        if number(name) != expected { throw Failure("\(name) is \(value.map { "\($0)" } ?? "absent"), expected \(expected) in \(line)") }
    }
}

extension Array where Element == Event {
    /// The one event that `matches`; a failure that says how many there are otherwise.
    func one(_ what: String, where matches: (Event) -> Bool) throws -> Event {
        let found = filter(matches)
        if found.count != 1 {
            let seen = found.isEmpty ? "" : ": " + found.map(\.line).joined(separator: " ; ")
            throw Failure("\(found.count) events, expected one: \(what)\(seen)")
        }
        return found[0]
    }

    func exec(pid: Int32) throws -> Event { try one("exec of pid \(pid)") { $0.action == "exec" && $0.pid == Int(pid) } }
    func exit(pid: Int32) throws -> Event { try one("exit of pid \(pid)") { $0.action == "exit" && $0.pid == Int(pid) } }

    func file(_ action: String, _ path: String) throws -> Event {
        try one("\(action) of \(path)") { $0.action == action && $0.path == path }
    }

    /// Fails with what `lost` events say, if there are any.
    func expectNothingLost() throws {
        // Without a count it can't be known whether anything was lost (a skipped look at a call that may have failed).
        let losses = filter { $0.action == "lost" && $0.number("hypervigil.lost.count") != nil }.map { event in
            let count = event.number("hypervigil.lost.count").map(String.init) ?? "an unknown number"
            let kinds = event.strings("hypervigil.lost.kinds")?.joined(separator: ", ") ?? ""
            return "\(count) (\(kinds)): \(event.string("hypervigil.lost.reason") ?? "no reason")"
        }
        try expect(losses.isEmpty, "lost: \(losses.joined(separator: "; "))")
    }

    /// The same, but for what the kernel skipped under preemption.
    func expectNothingLostButByPreemption() throws {
        do {
            try expectNothingLost()
        } catch let failure as Failure {
            try allowForPreemption(failure)
            throw failure
        }
    }

    /// A failure on a preemptible kernel is no failure where the monitor itself says that the kernel skipped programs (all acts of a
    /// session run side by side there): it is said aloud instead. Kernels without preemption show every row.
    func allowForPreemption(_ failure: Failure) throws {
        let told = filter(\.tellsOfPreemption)
        if !told.isEmpty {
            throw Skip("the kernel skipped programs under preemption, which \(told.count) lost events tell: \(failure.message.prefix(100))")
        }
    }

    /// What `lost` events count of a kind. Those without a count say that something may be missing, and count for nothing here: what
    /// did arrive is compared with what was done, so that a real loss without a count still fails.
    func lost(kind: String? = nil) -> Int {
        var sum = 0
        for event in self where event.action == "lost" {
            let kinds = event.strings("hypervigil.lost.kinds") ?? []
            if let kind, !kinds.isEmpty, !kinds.contains(kind) { continue }
            sum += event.number("hypervigil.lost.count") ?? 0
        }
        return sum
    }
}
