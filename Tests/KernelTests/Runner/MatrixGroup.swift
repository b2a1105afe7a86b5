import CActs
import Foundation
import Glibc

/// One row on its way: where it acts, and the process that does.
private struct Play {
    var row: Row
    var fileSystem: String
    var scene: UnsafeMutablePointer<acts_scene>
    var inside: String
    var outside: String
    /// The errno of the act, 0, or -1 where its process died.
    var end: Int32 = -1

    var authors: [Int] {
        withUnsafeBytes(of: scene.pointee.authors) { $0.bindMemory(to: UInt32.self).map(Int.init) }
    }
    var notes: [UInt64] {
        withUnsafeBytes(of: scene.pointee.notes) { Array($0.bindMemory(to: UInt64.self)) }
    }
    var step: String {
        withUnsafeBytes(of: scene.pointee.step) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// A path of the table as events have it.
    func resolve(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        if path.hasPrefix("^^") { return inside + "-moved" + path.dropFirst(2) }
        if path.hasPrefix("^") { return outside + "/" + path.dropFirst() }
        return path.isEmpty ? inside : inside + "/" + path
    }

    /// Those that are about this row: its process did it, or its folders have it.
    func own(_ events: [Event]) -> [Event] {
        let authors = Set(authors), runner = Int(getpid())
        let folders = [inside, outside, inside + "-moved"].map { (path: $0, below: $0 + "/") }
        func isBelow(_ path: String) -> Bool { folders.contains { path == $0.path || path.hasPrefix($0.below) } }
        return events.filter { event in
            // The runner cleans up behind the acts.
            guard event.isOfFile || event.action == "kernel-parameter", event.pid != runner else { return false }
            return authors.contains(event.pid) || isBelow(event.path) || isBelow(event.target)
        }
    }
}

/// Every way to change a file, each seen once, with the right path and author: one session for each style, in which every row has a
/// folder and a process of its own on every file system.
func runMatrix(_ context: Context, _ report: inout Report) {
    let known = Set((0..<acts_row_count()).map { String(cString: acts_row_name($0)) })
    report.check("matrix.complete") {
        try expectEqual(Set(matrix.map(\.name)).symmetricDifference(known).sorted(), [], "rows of only one of both tables")
        try expectEqual(matrix.count, known.count, "rows")
    }
    // What an init would have mounted.
    if context.guest { mount("debugfs", "/sys/kernel/debug", "debugfs", 0, nil) }
    var disks = Disks(context, "matrix")
    defer { disks.unmount() }
    for style in context.styles() {
        var folders: [(fileSystem: String, path: String)] = []
        for fileSystem in Disks.names(context, style) {
            do {
                let folder = try disks.folder(fileSystem) + "/\(style)"
                try makeDirectory(folder)
                folders.append((fileSystem, folder))
            } catch let skip as Skip {
                report.skip("matrix[\(style), \(fileSystem)]", skip.reason)
            } catch {
                report.fail("matrix[\(style), \(fileSystem)]", "\((error as? Failure)?.message ?? "\(error)")")
            }
        }
        do {
            try runMatrix(context, &report, style, folders)
        } catch {
            report.fail("matrix[\(style)]", "\((error as? Failure)?.message ?? "\(error)")")
        }
    }
}

private func runMatrix(_ context: Context, _ report: inout Report, _ style: String, _ folders: [(fileSystem: String, path: String)]) throws
{
    var plays: [Play] = []
    var roots: Set<String> = []
    for folder in folders {
        for name in ["watched", "roots", "outside"] { try makeDirectory("\(folder.path)/\(name)") }
        roots.insert("\(folder.path)/watched")
        plays += try prepare(folder.fileSystem, folder.path)
    }
    for play in plays {
        if play.row.isRoot { roots.insert(play.inside) }
        if let path = play.row.watches, access(path, F_OK) == 0 { roots.insert(path) }
    }
    let watch = try Watch(context, ["--only", "file", "--backend", style] + roots.sorted().flatMap { ["--path", $0] })
    let begin = now()
    // Each row on all file systems at a time: some acts wait for user space.
    for row in matrix {
        let group = plays.indices.filter { plays[$0].row.name == row.name }
        for index in group { acts_scene_act(plays[index].scene) }
        for index in group { plays[index].end = acts_scene_end(plays[index].scene) }
        unmountAll(below: group.flatMap { [plays[$0].inside, plays[$0].outside] })
    }
    let acted = now()
    let events = try watch.stop()
    print(
        "   \(style), \(folders.map(\.fileSystem).joined(separator: ", ")): \(plays.count) acts in \(Int(acted - begin)) s, \(events.count) events"
    )
    for play in plays { check(&report, "matrix.\(play.row.name)[\(style), \(play.fileSystem)]", play, events, style) }
    report.check("matrix.nothing-lost[\(style)]") { try events.expectNothingLostButByPreemption() }
}

/// Every row's folders and its process, waiting for the start.
private func prepare(_ fileSystem: String, _ folder: String) throws -> [Play] {
    let numbers = Dictionary(uniqueKeysWithValues: (0..<acts_row_count()).map { (String(cString: acts_row_name($0)), $0) })
    return try matrix.map { row in
        let inside = "\(folder)/\(row.isRoot ? "roots" : "watched")/\(row.name)", outside = "\(folder)/outside/\(row.name)"
        try makeDirectory(inside)
        try makeDirectory(outside)
        fflush(nil)
        guard let number = numbers[row.name], let scene = acts_scene_start(number, inside, outside) else {
            throw Failure("\(row.name): \(String(cString: strerror(errno)))")
        }
        return Play(row: row, fileSystem: fileSystem, scene: scene, inside: inside, outside: outside)
    }
}

private func check(
    _ report: inout Report, _ name: String, _ play: Play, _ events: [Event], _ style: String
) {
    report.check(name) {
        let end = play.end
        let error = end < 0 ? "its process died" : String(cString: strerror(end))
        if play.scene.pointee.unsupported != 0 { throw Skip("not supported here: \(play.step): \(error)") }
        guard end == 0 else { throw Failure("the act failed: \(play.step): \(error)") }
        if let path = play.row.watches, access(path, F_OK) != 0 { throw Skip("not supported here: no \(path)") }
        do {
            try compare(play, play.own(events), seesObjects: style != "tracepoint")
        } catch let failure as Failure {
            if let gap = play.row.gaps.first(where: { $0.holds(style: style, fileSystem: play.fileSystem) }) { throw Skip(gap.reason) }
            try events.allowForPreemption(failure)
            throw failure
        }
    }
}

/// Each expectation met by one event, and no event left over.
///
/// - Parameter seesObjects: the style sees inodes; what was before a change is not known otherwise, and may be missing.
private func compare(_ play: Play, _ events: [Event], seesObjects: Bool) throws {
    var rest = events
    var complaints: [String] = []
    for expected in play.row.expected {
        let paths = expected.paths.map(play.resolve)
        let candidates = rest.indices.filter { index in
            let event = rest[index]
            guard [expected.action, expected.otherAction].contains(event.action), expected.paths == ["*"] || paths.contains(event.path)
            else { return false }
            if let author = expected.author, event.pid != play.authors[author] { return false }
            // The two events of a write differ by this alone.
            for field in expected.fields where field.name == "hypervigil.write.open" {
                if case .flag(let open) = field.value, event.flag(field.name) != open { return false }
            }
            if expected.action == "link" || expected.action == "rename",
                let target = expected.fields.first(where: { $0.name == "file.target_path" }), case .path(let path) = target.value,
                event.target != play.resolve(path)
            {
                return false
            }
            return true
        }
        let author = expected.author.map { " by process \($0) (\(play.authors[$0]))" } ?? ""
        guard let index = candidates.first else {
            if !expected.optional { complaints.append("no \(expected.description)\(author)") }
            continue
        }
        for field in expected.fields {
            let ofObjects = field.name.contains("_before") || ["file.inode", "hypervigil.target.inode"].contains(field.name)
            if !seesObjects, ofObjects, rest[index][field.name] == nil { continue }
            if let complaint = differs(rest[index], field.name, field.value, play) {
                complaints.append("\(expected.description): \(complaint)")
            }
        }
        rest.remove(at: index)
    }
    for event in rest {
        let target = event.target.isEmpty ? "" : " to \(event.target)"
        complaints.append("not expected: \(event.action) of \(event.path)\(target) by \(event.pid) (\(event.outcome))")
    }
    guard complaints.isEmpty else {
        throw Failure(complaints.joined(separator: "; ") + (events.isEmpty ? "" : " in " + events.map(\.line).joined(separator: " ; ")))
    }
}

/// What is wrong with a field, or nil.
private func differs(_ event: Event, _ name: String, _ value: Expected.Value, _ play: Play) -> String? {
    let found = event[name]
    let holds: Bool
    let wanted: String
    switch value {
    case .string(let text): (holds, wanted) = (found as? String == text, text)
    case .number(let number): (holds, wanted) = (event.number(name) == number, "\(number)")
    case .mode(let mode):
        let octal = (found as? String).flatMap { Int($0, radix: 8) }
        (holds, wanted) = (octal.map { $0 & 0o7777 } == mode, String(mode, radix: 8))
    case .flag(let flag): (holds, wanted) = (event.flag(name) == flag, "\(flag)")
    case .word(let word): (holds, wanted) = ((found as? [String] ?? [found as? String ?? ""]).contains(word), word)
    case .suffix(let suffix): (holds, wanted) = ((found as? String)?.hasSuffix(suffix) == true, "...\(suffix)")
    case .note(let note): (holds, wanted) = (found as? String == "\(play.notes[note])", "\(play.notes[note])")
    case .path(let path): (holds, wanted) = (found as? String == play.resolve(path), play.resolve(path))
    case .present: (holds, wanted) = (found != nil, "there")
    case .absent: (holds, wanted) = (found == nil, "absent")
    }
    return holds ? nil : "\(name) is \(found.map { "\($0)" } ?? "absent"), expected \(wanted)"
}

/// What an act that failed left mounted.
func unmountAll(below folders: [String]) {
    let points = text(of: "/proc/self/mounts").split(separator: "\n").compactMap {
        $0.split(separator: " ").dropFirst().first.map(String.init)
    }
    for point in points.reversed() where folders.contains(where: { point == $0 || point.hasPrefix($0 + "/") }) {
        umount2(point, Int32(MNT_DETACH))
    }
}
