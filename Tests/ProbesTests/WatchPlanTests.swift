import Foundation
import KernelABI
import Testing

@testable import Probes

/// A folder without links in its path, gone when `body` ends.
private func withFolder<Result>(_ body: (_ folder: String) throws -> Result) throws -> Result {
    let temporary = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
    let folder = temporary.appendingPathComponent("plan-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return try body(folder)
}

private func make(_ folder: String, _ names: String...) throws {
    for name in names {
        let path = "\(folder)/\(name)"
        let directory = name.hasSuffix("/") ? path : (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        if !name.hasSuffix("/") { try Data("x".utf8).write(to: URL(fileURLWithPath: path)) }
    }
}

@Suite("The plan of watch entries, from names to objects")
struct WatchPlanTests {
    private func plan(_ items: [WatchItem]) -> WatchPlan {
        var plan = WatchPlan(items)
        _ = plan.settle(touched: nil, mounts: MountTable())
        return plan
    }

    /// What an item asks for: paths below the folder, with the policy.
    private func wants(_ plan: WatchPlan, _ folder: String, item: Int = 0) -> [String: Int32] {
        var found: [String: Int32] = [:]
        for (path, want) in plan.states[item].wants {
            let text = String(decoding: path, as: UTF8.self)
            found[text == folder ? "." : String(text.dropFirst(folder.count + 1)), default: 0] |= want.policy
        }
        return found
    }

    @Test("a folder, a file, a link, and what does not exist")
    func plain() throws {
        try withFolder { folder in
            try make(folder, "tree/x", "file")
            try FileManager.default.createSymbolicLink(atPath: "\(folder)/link", withDestinationPath: "tree")
            let plan = plan(["tree", "file", "link", "a/b/c", "tree/new"].map { WatchItem("\(folder)/\($0)", watched: true) })
            #expect(wants(plan, folder, item: 0) == ["tree": HV_WATCH_TREE])
            #expect(wants(plan, folder, item: 1) == ["file": HV_WATCH_TREE, ".": HV_WATCH_CHILDREN])
            #expect(wants(plan, folder, item: 2) == ["tree": HV_WATCH_TREE, ".": HV_WATCH_CHILDREN])
            #expect(wants(plan, folder, item: 3) == [".": HV_WATCH_CHILDREN])
            #expect(wants(plan, folder, item: 4) == ["tree": HV_WATCH_CHILDREN])
            // Where only names on the way matter, the rest is not wanted.
            #expect(plan.states[3].wants[0].want.unwanted & 1 << HV_FILE_WRITE.rawValue != 0)
            #expect(plan.states[3].wants[0].want.unwanted & 1 << HV_FILE_MKDIR.rawValue == 0)
            #expect(plan.states[4].wants[0].want.unwanted == 0)
            #expect(plan.names.contains(Array("\(folder)/tree/below".utf8)))
            #expect(plan.looked.contains(Array("\(folder)/a".utf8)))
            #expect(plan.looked.contains(Array(folder.utf8)))
            #expect(!plan.looked.contains(Array("\(folder)/other".utf8)))
        }
    }

    @Test("each level that appears is found, and only what it concerns is looked at")
    func appearance() throws {
        try withFolder { folder in
            try make(folder, "other/")
            var plan = plan([WatchItem("\(folder)/a/b/c", watched: true), WatchItem("\(folder)/other", watched: true)])
            for (level, name) in ["a/", "a/b/", "a/b/c"].enumerated() {
                try make(folder, name)
                let path = Array("\(folder)/\(name)".utf8)
                let done = plan.settle(touched: [path.last == 0x2f ? path.dropLast() : path], mounts: MountTable())
                #expect(done.map(\.item) == [0])
                #expect((plan.states[0].found != nil) == (level == 2))
            }
            #expect(wants(plan, folder)["a/b/c"] == HV_WATCH_TREE)
        }
    }

    @Test("a link that is turned elsewhere, through others, leads to what it leads to")
    func links() throws {
        try withFolder { folder in
            try make(folder, "one/", "two/", "d/")
            let manager = FileManager.default
            try manager.createSymbolicLink(atPath: "\(folder)/first", withDestinationPath: "d/second")
            try manager.createSymbolicLink(atPath: "\(folder)/d/second", withDestinationPath: "../one/../one")
            try manager.createSymbolicLink(atPath: "\(folder)/round", withDestinationPath: "round")
            var plan = plan([WatchItem("\(folder)/first", watched: true), WatchItem("\(folder)/round", watched: true)])
            #expect(plan.states[0].real == Array("\(folder)/one".utf8))
            #expect(plan.states[1].found == nil)
            #expect(plan.names.contains(Array("\(folder)/one/x".utf8)))
            #expect(plan.looked.contains(Array("\(folder)/d/second".utf8)))
            try manager.removeItem(atPath: "\(folder)/d/second")
            try manager.createSymbolicLink(atPath: "\(folder)/d/second", withDestinationPath: "\(folder)/two")
            _ = plan.settle(touched: [Array("\(folder)/d/second".utf8)], mounts: MountTable())
            #expect(plan.states[0].real == Array("\(folder)/two".utf8))
            #expect(plan.names.contains(Array("\(folder)/two/x".utf8)))
            #expect(!plan.names.contains(Array("\(folder)/one/x".utf8)))
        }
    }

    @Test("patterns: each level's folder for its names, found folders as trees")
    func patterns() throws {
        try withFolder { folder in
            try make(folder, "home/a/.ssh/authorized_keys", "home/b/", "cron.d/x", "cron.conf", "lib/x/deep/y.so", "lib/z")
            let plan = plan([
                WatchItem("\(folder)/home/*/.ssh/authorized_keys*", watched: true), WatchItem("\(folder)/cron*", watched: true),
                WatchItem("\(folder)/lib/*/**/*.so", watched: true), WatchItem("\(folder)/cron?d", watched: false),
                WatchItem("\(folder)/lib/**/y*", watched: false),
            ])
            #expect(
                wants(plan, folder, item: 0) == [
                    "home": HV_WATCH_CHILDREN, "home/a/.ssh": HV_WATCH_CHILDREN, "home/b": HV_WATCH_CHILDREN,
                ])
            #expect(plan.ancestors[Array("\(folder)/home/a".utf8)] != nil)
            #expect(wants(plan, folder, item: 1) == [".": HV_WATCH_CHILDREN, "cron.d": HV_WATCH_TREE])
            #expect(wants(plan, folder, item: 2) == ["lib": HV_WATCH_CHILDREN, "lib/x": HV_WATCH_TREE])
            #expect(wants(plan, folder, item: 3) == ["cron.d": HV_WATCH_IGNORE])
            #expect(wants(plan, folder, item: 4) == [:])
            // The ignored pattern below it decides by name.
            #expect(plan.states[2].wants.allSatisfy { $0.want.refined })
            #expect(plan.listed.contains(Array("\(folder)/home".utf8)))
        }
    }

    @Test("a pattern in a folder that is a link: names below where it leads match")
    func linkedFolder() throws {
        try withFolder { folder in
            try make(folder, "usr/lib/gnu/security/pam.so")
            try FileManager.default.createSymbolicLink(atPath: "\(folder)/lib", withDestinationPath: "usr/lib")
            let plan = plan([WatchItem("\(folder)/lib/*/security/*.so", watched: true)])
            #expect(plan.names.contains(Array("\(folder)/usr/lib/gnu/security/new.so".utf8)))
            #expect(!plan.names.contains(Array("\(folder)/usr/lib/gnu/new.so".utf8)))
        }
    }

    @Test("a pattern that matches too much is watched as a whole, and it is said")
    func tooMany() throws {
        try withFolder { folder in
            try make(folder, "d/")
            for index in 0...WatchPlan.mostMatches { _ = FileManager.default.createFile(atPath: "\(folder)/d/\(index)", contents: nil) }
            let plan = plan([WatchItem("\(folder)/d/*/x", watched: true)])
            #expect(wants(plan, folder) == ["d": HV_WATCH_TREE])
            #expect(plan.problems.count == 1)
        }
    }

    @Test("names that are not UTF-8")
    func bytes() throws {
        try withFolder { folder in
            let name = Array(folder.utf8) + [0x2f, 0xff, 0xfe]
            #expect(withPath(name) { mkdir($0, 0o700) } == 0)
            let plan = plan([WatchItem("\(folder)/*", watched: true)])
            #expect(plan.states[0].wants.contains { $0.path == name && $0.want.policy == HV_WATCH_TREE })
        }
    }

    @Test("50,000 names: time and memory")
    func many() throws {
        try withFolder { folder in
            let count = 50_000
            var items: [WatchItem] = []
            for index in 0..<count {
                let name = "\(folder)/\(index % 250)/\(index)"
                if index < 250 { try make(folder, "\(index)/") }
                // Every other exists.
                if index % 2 == 0 { _ = FileManager.default.createFile(atPath: name, contents: nil) }
                items.append(WatchItem(name, watched: true))
            }
            var plan = WatchPlan(items)
            let clock = ContinuousClock()
            let before = residentBytes()
            let all = clock.measure { _ = plan.settle(touched: nil, mounts: MountTable()) }
            let memory = residentBytes() - before
            let one = clock.measure { _ = plan.settle(touched: [items[7].path], mounts: MountTable()) }
            #expect(plan.states.count { $0.found != nil } == count / 2)
            print("50,000 names: all \(all), one \(one), \(memory >> 10) KiB more resident")
            // In a debug build; a release build takes a tenth.
            #expect(all < .seconds(20))
            #expect(one < .seconds(2))
        }
    }

    private func residentBytes() -> Int {
        let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
    }
}
