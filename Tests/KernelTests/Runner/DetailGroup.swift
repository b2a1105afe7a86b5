import CActs
import Foundation
import Glibc

/// An act of the matrix that writes, and how much each of its calls writes where.
private struct Written {
    var row: String
    var writes: [(offset: Int, bytes: Int)]
    /// Bytes that no call tells are not told: stores through mappings, fallocate, clones.
    var told = true
    /// Only requests of a ring or of AIO: their first event does not wait for the bytes, and the tracepoint style has none of them.
    var requests = false

    init(_ row: String, _ writes: (offset: Int, bytes: Int)..., told: Bool = true, requests: Bool = false) {
        self.row = row
        self.writes = writes
        self.told = told
        self.requests = requests
    }

    var total: Int { writes.reduce(0) { $0 + $1.bytes } }
}

private let acts: [Written] = {
    var many = Written("write-many")
    many.writes = (0..<100).map { ($0 * 5, 5) }
    return [
        Written("write", (0, 5)), many, Written("writev", (0, 8)), Written("pwrite", (20, 5)), Written("int80", (0, 4)),
        Written("pwritev2", (2, 5)), Written("append", (10, 5)), Written("aio", (10, 5), requests: true),
        Written("io_uring", (10, 5), requests: true), Written("io_uring-fixed", (10, 5), requests: true),
        Written("io_uring-worker", (10, 5), requests: true), Written("sendfile", (0, 4096)), Written("splice", (0, 5)),
        Written("copy_file_range", (0, 4096)), Written("handle-after-exec", (10, 5)), Written("fallocate-extend", told: false),
        Written("ficlone", told: false), Written("mmap-store", told: false),
    ]
}()

/// One act on its way.
private struct Play {
    var act: Written
    var fileSystem: String
    var scene: UnsafeMutablePointer<acts_scene>
    var inside: String
    /// The errno of the act.
    var end: Int32 = 0
}

/// `files.detail`: bytes and offsets of each way to write, as the act's own process has them, and no event too many.
func runDetail(_ context: Context, _ report: inout Report) {
    var disks = Disks(context, "detail")
    defer { disks.unmount() }
    for style in context.styles(underLoad: true) {
        // Slow guests do the finer one, which has the totals of the other too.
        for detail in context.guest && !context.full ? ["every-write"] : ["bytes", "every-write"] {
            var folders: [(fileSystem: String, path: String)] = []
            for fileSystem in Disks.names(context, style) {
                do {
                    folders.append((fileSystem, try disks.folder(fileSystem) + "/\(style)-\(detail)"))
                } catch let skip as Skip {
                    report.skip("detail[\(style), \(detail), \(fileSystem)]", skip.reason)
                } catch {
                    report.fail("detail[\(style), \(detail), \(fileSystem)]", "\((error as? Failure)?.message ?? "\(error)")")
                }
            }
            do {
                try runDetail(context, &report, style, detail, folders)
            } catch {
                report.fail("detail[\(style), \(detail)]", "\((error as? Failure)?.message ?? "\(error)")")
            }
        }
        if context.guest && !context.full { continue }
        report.check("detail.only-when-asked[\(style)]") {
            for detail in ["summary", "bytes"] {
                let configuration = try configuration(context, "files: {detail: \(detail), watch: [\(context.folder)], profiles: none}\n")
                let run = try Run(
                    context, [context.program, "doctor", "--json", "--only", "file", "--backend", style, "--config", configuration])
                guard run.status(waitUpTo: 300) != nil else { throw Failure("doctor did not end") }
                try expectEqual(text(of: run.outPath).contains("bytes of writes"), detail == "bytes", "doctor shows the hooks with detail \(detail)")
            }
        }
    }
}

/// A configuration file of this run.
func configuration(_ context: Context, _ text: String) throws -> String {
    let path = "\(context.folder)/configuration-\(UInt64.random(in: .min ... .max)).yaml"
    try writeFile(path, text)
    return path
}

/// Every act on every file system, in one session.
private func runDetail(
    _ context: Context, _ report: inout Report, _ style: String, _ detail: String, _ folders: [(fileSystem: String, path: String)]
) throws {
    let numbers = Dictionary(uniqueKeysWithValues: (0..<acts_row_count()).map { (String(cString: acts_row_name($0)), $0) })
    var plays: [Play] = []
    for folder in folders {
        for path in [folder.path, folder.path + "/watched", folder.path + "/outside"] { try makeDirectory(path) }
        for act in acts {
            let inside = "\(folder.path)/watched/\(act.row)", outside = "\(folder.path)/outside/\(act.row)"
            try makeDirectory(inside)
            try makeDirectory(outside)
            fflush(nil)
            guard let number = numbers[act.row], let scene = acts_scene_start(number, inside, outside) else { throw Failure("no act \(act.row)") }
            plays.append(Play(act: act, fileSystem: folder.fileSystem, scene: scene, inside: inside))
        }
    }
    let configuration = try configuration(context, "files: {detail: \(detail)}\n")
    let roots = folders.flatMap { ["--path", $0.path + "/watched"] }
    let watch = try Watch(context, ["--only", "file", "--backend", style, "--config", configuration] + roots)
    for index in plays.indices {
        acts_scene_act(plays[index].scene)
        plays[index].end = acts_scene_end(plays[index].scene)
    }
    let events = try watch.stop()
    for play in plays {
        report.check("detail.\(play.act.row)[\(style), \(detail), \(play.fileSystem)]") {
            let step = withUnsafeBytes(of: play.scene.pointee.step) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if play.scene.pointee.unsupported != 0 { throw Skip("not supported here: \(step)") }
            try expectEqual(play.end, 0, "errno of the act (\(step))")
            let own = events.filter { $0.action == "write" && $0.path == play.inside + "/file" }
            do {
                try compare(play.act, own, detail, style)
            } catch let failure as Failure {
                try events.allowForPreemption(failure)
                throw Failure("\(failure.message) in \(own.map(\.line).joined(separator: " ; "))")
            }
        }
    }
    report.check("detail.nothing-lost[\(style), \(detail)]") { try events.expectNothingLost() }
}

private func compare(_ act: Written, _ events: [Event], _ detail: String, _ style: String) throws {
    let bytes = "hypervigil.write.bytes", offset = "hypervigil.write.offset"
    guard act.told && !(act.requests && style == "tracepoint") else {
        try expect(events.allSatisfy { $0[bytes] == nil && $0[offset] == nil }, "bytes that nobody told")
        if act.told && events.isEmpty { throw Skip("not seen by this style here") }
        // Kernels on which the tracepoint style sees no stores say so in the matrix.
        if style != "tracepoint" { try expect(!events.isEmpty, "no event") }
        return
    }
    let each = events.filter { $0[offset] != nil }, others = events.filter { $0[offset] == nil }
    let totals = others.filter { $0["hypervigil.write.open"] != nil && !$0.flag("hypervigil.write.open") }
    try expectEqual(totals.count, 1, "events with totals")
    try totals[0].has(bytes, act.total)
    let first = others.filter { $0.flag("hypervigil.write.open") }
    guard detail == "every-write" else {
        try expectEqual(each.count, 0, "events with an offset")
        try expectEqual(first.count, 1, "first events")
        if !act.requests { try first[0].has(bytes, act.writes[0].bytes) }
        return
    }
    try expectEqual(first.count, act.requests ? 1 : 0, "events of an open handle that are no write's")
    try expectEqual(each.map { $0.number(offset) ?? -1 }, act.writes.map(\.offset), "offsets")
    try expectEqual(each.map { $0.number(bytes) ?? -1 }, act.writes.map(\.bytes), "bytes")
    try expect(each.allSatisfy { $0.number("hypervigil.write.operations") == 1 }, "operations of single writes")
}
