import CActs
import Foundation
import Glibc

/// An entry of the log.
struct Operation: CustomStringConvertible {
    let begin: UInt64
    let kind: acts_fuzz_operation
    let error: Int32
    let slot: Int
    let other: Int
    let inode: UInt64
    let size: Int
    let value: Int
    let path: String
    let target: String

    init(_ entry: acts_fuzz_entry) {
        begin = entry.begin
        kind = acts_fuzz_operation(rawValue: acts_fuzz_operation.RawValue(entry.operation))
        error = Int32(entry.error)
        slot = Int(entry.slot)
        other = Int(entry.other)
        inode = entry.inode
        size = Int(entry.size)
        value = Int(entry.value)
        path = withUnsafeBytes(of: entry.path) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        target = withUnsafeBytes(of: entry.target) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// It works on an open handle.
    var usesSlot: Bool { path.isEmpty }

    private static let names = [
        "create", "open", "open to truncate", "close", "write", "fallocate", "copy_file_range", "store", "truncate", "ftruncate", "link",
        "unlink",
        "mkdir", "rmdir", "symlink", "rename", "exchange", "chmod", "chown", "utimes", "setxattr", "removexattr",
    ]

    var description: String {
        let what = Self.names[Int(kind.rawValue)]
        let object = path.isEmpty ? "slot \(slot)" : target.isEmpty ? path : "\(path) to \(target)"
        return "\(what) \(object)\(error == 0 ? "" : " (\(String(cString: strerror(error))))")"
    }
}

/// Random operations, some before the monitor starts, whose own log is the oracle; and the tree in the end is what the log says.
func runFuzz(_ context: Context, _ report: inout Report) {
    var disks = Disks(context, "fuzz")
    defer { disks.unmount() }
    let fileSystems: [String]
    let operations: Int
    let rounds: Int
    // Operations are those tried; two in five succeed. A round's events have to fit into a guest's memory; full rounds make a million.
    switch (context.full, context.guest) {
    case (false, false): (fileSystems, operations, rounds) = (["tmpfs", "ext4", "xfs", "btrfs", "overlay"], 5_000, 1)
    case (false, true): (fileSystems, operations, rounds) = (["ext4", "btrfs", "overlay"], 3_500, 1)
    case (true, _): (fileSystems, operations, rounds) = (["tmpfs", "ext4", "xfs", "btrfs", "overlay"], 10_000, 20)
    }
    for style in context.styles(underLoad: true) {
        for round in 0..<(style == "tracepoint" && context.guest ? 1 : rounds) {
            func name(_ fileSystem: String) -> String { "fuzz[\(style), \(fileSystem)" + (rounds > 1 ? ", \(round)]" : "]") }
            // Names that are settled after the act can't be had exactly; the full run shows how far off they are.
            if style == "tracepoint" && !context.full {
                for fileSystem in fileSystems {
                    report.skip(name(fileSystem), "tracepoints show names as spelled, which are settled after the fact (make soak runs it)")
                }
                continue
            }
            var fuzzers: [Fuzzer] = []
            defer { for fuzzer in fuzzers { fuzzer.free() } }
            let events: [Event]
            do {
                for fileSystem in fileSystems {
                    fuzzers.append(try Fuzzer(folder: try disks.folder(fileSystem) + "/\(style)-\(round)", seed: context.seed ?? UInt64.random(in: 1 ... .max), operations))
                }
                events = try run(fuzzers, context, style)
            } catch {
                for fileSystem in fileSystems { report.check(name(fileSystem)) { throw error } }
                continue
            }
            for (fileSystem, fuzzer) in zip(fileSystems, fuzzers) {
                report.check(name(fileSystem)) {
                    do {
                        try compare(fuzzer, events, context, fileSystem)
                    } catch let failure as Failure {
                        try events.allowForPreemption(failure)
                        throw failure
                    }
                    // What was skipped was none of these, then.
                    try events.filter { !$0.tellsOfPreemption }.expectNothingLost()
                    try? FileManager.default.removeItem(atPath: fuzzer.folder)
                }
            }
        }
    }
}

/// A process that has done the first of its operations and waits for the monitor.
private struct Fuzzer {
    let folder: String
    let seed: UInt64
    let run: OpaquePointer

    init(folder: String, seed: UInt64, _ operations: Int) throws {
        self.folder = folder
        self.seed = seed
        try makeDirectory(folder)
        for name in ["w", "u"] { try makeDirectory("\(folder)/\(name)") }
        fflush(nil)
        acts_run_on(0)
        defer { acts_run_on(-1) }
        guard let run = acts_fuzz_start(folder, seed, UInt32(operations), UInt32(operations / 10)) else {
            throw Failure("the fuzzer: \(String(cString: strerror(errno)))")
        }
        self.run = run
    }

    func free() { acts_fuzz_free(run) }
}

/// One after the other, each on a file system of its own, under one monitor. They and the monitor, which writes as well, have a CPU each: a
/// preemptible kernel skips a program where another task was preempted inside it, which is the flood's to show.
private func run(_ fuzzers: [Fuzzer], _ context: Context, _ style: String) throws -> [Event] {
    acts_run_on(1)
    defer { acts_run_on(-1) }
    let watch = try Watch(context, ["--only", "file", "--backend", style] + fuzzers.flatMap { ["--path", "\($0.folder)/w"] })
    let ended = fuzzers.map { acts_fuzz_finish($0.run) }
    let found = try watch.stop()
    for end in ended { try act("the fuzzer", end) }
    watch.removeOutput()
    return found
}

private func compare(_ fuzzer: Fuzzer, _ all: [Event], _ context: Context, _ fileSystem: String) throws {
    let folder = fuzzer.folder, seed = fuzzer.seed, pid = Int(acts_fuzz_pid(fuzzer.run))
    var count: UInt32 = 0
    let log = UnsafeBufferPointer(start: acts_fuzz_log(fuzzer.run, &count), count: Int(count))
    let events = all.filter { $0.isOfFile && ($0.pid == pid || $0.path.hasPrefix(folder + "/")) }
    var replay = FuzzReplay(folder: folder, knowsInodes: ["tmpfs", "ext4", "xfs"].contains(fileSystem))
    var byTime = try Sorted(events)
    for (number, entry) in log.enumerated() {
        for stray in byTime.next(until: entry.begin) { replay.note("before operation \(number): \(FuzzReplay.describe(stray))") }
        replay.step(number, entry, byTime.next(until: entry.end + 1))
    }
    for stray in byTime.next(until: .max) { replay.note("after the last operation: \(FuzzReplay.describe(stray))") }
    let succeeded = log.count { $0.error == 0 && $0.before == 0 }
    let differences = replay.differences
    print("   seed \(seed): \(log.count) operations, \(succeeded) succeeded under watch, \(events.count) events; \(differences.count) differences")

    let scanned = try scan(folder), model = replay.listing
    let unknown = scanned.symmetricDifference(model).sorted()
    guard unknown.isEmpty else {
        let some = unknown.prefix(10).map { (model.contains($0) ? "missing " : "found ") + $0 }
        throw Failure("the tree is not what the log says (seed \(seed)): \(some)")
    }
    guard differences.isEmpty else {
        let all = "\(context.folder)/differences-\(seed)"
        let operations = log.enumerated().map { "\($0): \(Operation($1)) of inode \($1.inode) from \($1.begin) to \($1.end)" }
        try? (differences + operations).joined(separator: "\n").write(toFile: all, atomically: false, encoding: .utf8)
        let some = differences.prefix(10).joined(separator: "; ")
        throw Failure("seed \(seed): \(differences.count) unexplained differences (all in \(all)): \(some)")
    }
}

/// Events in the order of their times.
private struct Sorted {
    private let events: [(time: UInt64, event: Event)]
    private var place = 0

    init(_ events: [Event]) throws {
        self.events = try events.map { event in
            let name = "hypervigil.monotonic"
            let time = (event[name] as? NSNumber)?.uint64Value ?? event.string(name).flatMap { UInt64($0) }
            guard let time else { throw Failure("no \(name) in \(event.line)") }
            return (time, event)
        }.sorted { $0.time < $1.time }
    }

    /// The next ones, up to a time.
    mutating func next(until end: UInt64) -> [Event] {
        let begin = place
        while place < events.count, events[place].time < end { place += 1 }
        return events[begin..<place].map(\.event)
    }
}

/// The tree as ``FuzzModel/listing()`` has it.
private func scan(_ folder: String) throws -> Set<String> {
    var lines: Set<String> = []
    func walk(_ path: String) throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: folder + "/" + path) {
            let below = path.isEmpty ? name : path + "/" + name
            let found = try status(of: folder + "/" + below)
            switch found.st_mode & S_IFMT {
            case S_IFDIR:
                if !path.isEmpty { lines.insert("directory \(below) \(found.st_ino)") }
                try walk(below)
            case S_IFLNK: lines.insert("symlink \(below) \(found.st_ino) \(found.st_size) \(found.st_nlink)")
            default: lines.insert("file \(below) \(found.st_ino) \(found.st_size) \(found.st_nlink)")
            }
        }
    }
    try walk("")
    return lines
}
