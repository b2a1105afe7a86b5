import CActs
import Foundation
import Glibc

func openFile(_ path: String, _ flags: Int32) throws -> Int32 {
    try call("open \(path)", open(path, flags | O_CLOEXEC, 0o644))
}

/// Creates a file with `bytes` in it.
func writeFile(_ path: String, _ text: String = "text") throws {
    let file = try openFile(path, O_CREAT | O_WRONLY)
    defer { close(file) }
    try call("write \(path)", Int32(write(file, text, text.utf8.count)))
}

/// The same where the name is any bytes.
private func createAndDelete(_ path: [UInt8]) throws {
    let name = path.map { CChar(bitPattern: $0) } + [0]
    let file = try call("open", open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644))
    close(file)
    try call("unlink", unlink(name))
}

private struct FileActs {
    let root: String
    let unwatched: String
    var watched: String { root + "/watched" }
    var deep: String { (0..<40).reduce(watched) { path, depth in "\(path)/directory-\(depth)" } }
    var newDeep: String { watched + "/made after the start/and below" }

    let names: [(what: String, bytes: [UInt8])] = [
        ("newline", Array("new\nline \"and\" \\more".utf8)),
        ("not-utf8", [0x61, 0xff, 0x62, 0xc3]),
        ("255-bytes", [UInt8](repeating: UInt8(ascii: "n"), count: 255)),
        ("spaces", Array(" leading and trailing ".utf8)),
    ]

    var written = stat()
    var victim = stat()
    var reused: String?

    init(root: String) throws {
        self.root = root
        unwatched = root + "/unwatched"
        for path in [root, watched, unwatched, unwatched + "/tree", watched + "/full", watched + "/leaving"] { try makeDirectory(path) }
        try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: true)
        for path in [
            watched + "/existing", watched + "/full/file", watched + "/leaving/file", watched + "/gone", unwatched + "/existing",
            unwatched + "/coming", unwatched + "/tree/file",
        ] {
            try writeFile(path)
        }
    }

    mutating func perform() throws {
        let file = try openFile(watched + "/file", O_CREAT | O_EXCL | O_WRONLY)
        for _ in 0..<3 { try call("write", Int32(write(file, "12345", 5))) }
        try call("fstat", fstat(file, &written))
        close(file)
        try call("rename", rename(watched + "/file", watched + "/renamed"))
        try call("unlink", unlink(watched + "/renamed"))

        victim = try status(of: watched + "/existing")
        try writeFile(watched + "/over", "over")
        try call("rename", rename(watched + "/over", watched + "/existing"))
        let reading = try openFile(watched + "/existing", O_RDONLY)
        var byte: UInt8 = 0
        read(reading, &byte, 1)
        close(reading)

        try writeFile(deep + "/bottom")
        try makeDirectory(watched + "/made after the start")
        try makeDirectory(newDeep)
        try writeFile(newDeep + "/file")

        try unwatchedActs()
        try movingActs()
        for name in names { try createAndDelete(Array(watched.utf8) + [UInt8(ascii: "/")] + name.bytes) }
        // A directory that is not empty can't be renamed over.
        try makeDirectory(watched + "/empty")
        if rename(watched + "/empty", watched + "/full") == 0 { throw Failure("rename over a full directory succeeded") }
        try reuseInode()
    }

    /// Nothing of this may be reported.
    private func unwatchedActs() throws {
        try writeFile(unwatched + "/new")
        try writeFile(unwatched + "/existing", "again")
        try call("rename", rename(unwatched + "/new", unwatched + "/newer"))
        try call("unlink", unlink(unwatched + "/newer"))
    }

    private func movingActs() throws {
        try call("rename", rename(unwatched + "/coming", watched + "/came"))
        try writeFile(watched + "/came", "after it came")
        try call("rename", rename(watched + "/gone", unwatched + "/went"))
        try writeFile(unwatched + "/went", "after it went")
        // Writing below first: the verdicts of both trees are known when they move.
        try writeFile(unwatched + "/tree/file", "before it came")
        try call("rename", rename(unwatched + "/tree", watched + "/tree"))
        try writeFile(watched + "/tree/file", "after it came")
        try writeFile(watched + "/leaving/file", "before it went")
        try call("rename", rename(watched + "/leaving", unwatched + "/left"))
        try writeFile(unwatched + "/left/file", "after it went")
    }

    /// A number that belonged to a file outside comes back inside: what was decided about the first must not hold for the second.
    private mutating func reuseInode() throws {
        for attempt in 0..<50 {
            let outside = unwatched + "/number", inside = watched + "/number-\(attempt)"
            try writeFile(outside)
            let number = try status(of: outside).st_ino
            try call("unlink", unlink(outside))
            try writeFile(inside)
            if try status(of: inside).st_ino == number {
                reused = inside
                return
            }
            try call("unlink", unlink(inside))
        }
    }
}

func runFile(_ context: Context, _ report: inout Report) {
    var places = [("tmp", context.folder)]
    if context.guest {
        do {
            places.append(("ext4", try mountExt4(context)))
        } catch {
            report.fail("file.ext4", "\((error as? Failure)?.message ?? "\(error)")")
        }
    }
    for style in context.styles() {
        for (place, folder) in context.full || style != "tracepoint" ? places : places.suffix(1) {
            let label = "\(style), \(place)"
            let events: [Event]
            var acts: FileActs
            do {
                acts = try FileActs(root: "\(folder)/file-\(style)")
                let watch = try Watch(context, ["--only", "file", "--backend", style, "--path", acts.watched])
                try acts.perform()
                events = try watch.stop()
            } catch {
                report.fail("file[\(label)]", "\((error as? Failure)?.message ?? "\(error)")")
                continue
            }
            checkChanges(&report, label, acts, events, seesObjects: style != "tracepoint")
            checkTree(&report, label, acts, events)
            checkNames(&report, label, acts, events)
        }
    }
}

/// A file system with a disk's ways (inode numbers are reused at once, other functions are called) in a file.
private func mountExt4(_ context: Context) throws -> String {
    let image = context.folder + "/disk", folder = context.folder + "/ext4"
    try makeDirectory(folder)
    for command in [
        ["/usr/bin/truncate", "-s", "64M", image], ["/usr/sbin/modprobe", "loop"], ["/usr/sbin/modprobe", "ext4"],
        ["/usr/sbin/mkfs.ext4", "-q", image], ["/usr/bin/mount", "-o", "loop", image, folder],
    ] {
        let run = try Run(context, command)
        guard run.status(waitUpTo: 60) == 0 else { throw Failure("\(command.joined(separator: " ")): \(run.errorLines.joined(separator: " | "))") }
    }
    return folder
}

/// - Parameter seesObjects: the style sees inodes, not the names that a system call spells: an object that has no open handle is
///   known by its name only otherwise, and its size before a change is not.
private func checkChanges(_ report: inout Report, _ label: String, _ acts: FileActs, _ events: [Event], seesObjects: Bool) {
    let path = acts.watched + "/file"
    report.check("file.create[\(label)]") {
        let event = try events.file("create", path)
        try event.has("file.inode", "\(acts.written.st_ino)")
        try event.has("event.outcome", "success")
        try event.has("process.pid", Int(getpid()))
        try event.has("user.id", "0")
        try event.has("file.device", device(acts.written))
        try expect(event.strings("event.category") == ["file"], "event.category: \(event.line)")
    }
    report.check("file.write[\(label)]") {
        let first = try events.one("first write of \(path)") {
            $0.action == "write" && $0.path == path && $0.flag("hypervigil.write.open")
        }
        let totals = try events.one("totals of \(path)") {
            $0.action == "write" && $0.path == path && !$0.flag("hypervigil.write.open")
        }
        try first.has("file.inode", "\(acts.written.st_ino)")
        try totals.has("file.inode", "\(acts.written.st_ino)")
        try totals.has("hypervigil.write.operations", 3)
        if seesObjects || totals["hypervigil.write.size_before"] != nil { try totals.has("hypervigil.write.size_before", 0) }
        try totals.has("file.size", 15)
    }
    report.check("file.rename[\(label)]") {
        let event = try events.file("rename", path)
        try event.has("file.target_path", acts.watched + "/renamed")
        if seesObjects || event["file.inode"] != nil { try event.has("file.inode", "\(acts.written.st_ino)") }
        try event.has("event.outcome", "success")
    }
    report.check("file.delete[\(label)]") {
        let event = try events.file("delete", acts.watched + "/renamed")
        if seesObjects || event["file.inode"] != nil { try event.has("file.inode", "\(acts.written.st_ino)") }
        try event.has("event.outcome", "success")
    }
    report.check("file.rename-over[\(label)]") {
        let event = try events.file("rename", acts.watched + "/over")
        try event.has("file.target_path", acts.watched + "/existing")
    }
    report.check("file.reading-is-silent[\(label)]") {
        let found = events.filter { $0.path == acts.watched + "/existing" }
        try expect(found.isEmpty, "\(found.map(\.line))")
    }
    report.check("file.failed-rename[\(label)]") {
        let found = events.filter { $0.action == "rename" && $0.path == acts.watched + "/empty" }
        try expect(found.allSatisfy { $0.outcome == "failure" && $0.string("error.code") == "ENOTEMPTY" }, "\(found.map(\.line))")
    }
    report.check("file.nothing-lost[\(label)]") { try events.expectNothingLost() }
}

private func checkTree(_ report: inout Report, _ label: String, _ acts: FileActs, _ events: [Event]) {
    func writes(_ path: String) -> Int { events.count { $0.action == "write" && $0.path == path } }
    report.check("file.deep[\(label)]") {
        let event = try events.file("create", acts.deep + "/bottom")
        try expect(event["hypervigil.path.flags"] == nil, "hypervigil.path.flags is set: \(event.line)")
        try expectEqual(writes(acts.deep + "/bottom"), 2, "write events")
    }
    report.check("file.directory-made-later[\(label)]") {
        _ = try events.file("create", acts.newDeep + "/file")
        try expectEqual(writes(acts.newDeep + "/file"), 2, "write events")
    }
    report.check("file.unwatched[\(label)]") {
        let allowed = [acts.watched + "/", acts.unwatched + "/coming", acts.unwatched + "/tree"]
        let found = events.filter { event in
            ["create", "write", "rename", "delete"].contains(event.action) && !allowed.contains { event.path.hasPrefix($0) }
        }
        try expect(found.isEmpty, "events of what is not watched: \(found.map(\.line))")
    }
    report.check("file.move-in[\(label)]") {
        try events.file("rename", acts.unwatched + "/coming").has("file.target_path", acts.watched + "/came")
        try expectEqual(writes(acts.watched + "/came"), 2, "write events after it came")
    }
    report.check("file.move-out[\(label)]") {
        try events.file("rename", acts.watched + "/gone").has("file.target_path", acts.unwatched + "/went")
        try expectEqual(writes(acts.unwatched + "/went"), 0, "write events after it went")
    }
    report.check("file.move-tree-in[\(label)]") {
        try events.file("rename", acts.unwatched + "/tree").has("file.target_path", acts.watched + "/tree")
        try expectEqual(writes(acts.unwatched + "/tree/file"), 0, "write events before it came")
        try expectEqual(writes(acts.watched + "/tree/file"), 2, "write events after it came")
    }
    report.check("file.move-tree-out[\(label)]") {
        try events.file("rename", acts.watched + "/leaving").has("file.target_path", acts.unwatched + "/left")
        try expectEqual(writes(acts.watched + "/leaving/file"), 2, "write events before it went")
        try expectEqual(writes(acts.unwatched + "/left/file"), 0, "write events after it went")
    }
    report.check("file.reused-inode[\(label)]") {
        guard let path = acts.reused else { throw Skip("this file system did not reuse an inode number in 50 tries") }
        _ = try events.file("create", path)
        try expectEqual(writes(path), 2, "write events")
    }
}

private func checkNames(_ report: inout Report, _ label: String, _ acts: FileActs, _ events: [Event]) {
    for name in acts.names {
        report.check("file.name-\(name.what)[\(label)]") {
            let path = acts.watched + "/" + String(decoding: name.bytes, as: UTF8.self)
            let event = try events.file("create", path)
            _ = try events.file("delete", path)
            let bytes = Array(acts.watched.utf8) + [UInt8(ascii: "/")] + name.bytes
            if String(validating: name.bytes, as: UTF8.self) == nil {
                try event.has("hypervigil.raw.file.path", Data(bytes).base64EncodedString())
            } else {
                try expect(event["hypervigil.raw"] == nil, "hypervigil.raw without need: \(event.line)")
            }
        }
    }
}

/// A lone event after idleness. A guest's time is not this machine's: there it is printed, here it is printed too, and
/// must come within a bound that only a consumer that waits for company would miss.
func runLatency(_ context: Context, _ report: inout Report) {
    for style in context.styles(underLoad: true) {
        report.check("latency.lone-event[\(style)]") {
            let watched = "\(context.folder)/latency-\(style)"
            try makeDirectory(watched)
            let watch = try Watch(context, ["--only", "file", "--backend", style, "--path", watched])
            defer { watch.kill() }
            var measured: [Int] = []
            for number in 0..<3 {
                sleep(seconds: 1.2)
                let name = "\(watched)/lone-\(number)"
                let begin = now()
                close(try openFile(name, O_CREAT | O_WRONLY))
                let seen = wait(upTo: 10, every: 0.001) { bytes(of: watch.outPath).isEmpty ? nil : try? watch.lines(containing: [name]).first }
                guard seen != nil else { throw Failure("\(name) was not printed within 10 s") }
                measured.append(Int((now() - begin) * 1000))
            }
            print("   printed after \(measured.map(String.init).joined(separator: ", ")) ms")
        }
    }
}
