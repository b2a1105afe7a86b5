import Testing

@testable import Probes

@Suite("Mounts of the host: from a device and a path inside it to the host's path")
struct MountTableTests {
    /// Lines of /proc/<pid>/mountinfo (Documentation/filesystems/proc.rst).
    static let table = MountTable(
        parsing: Array(
            #"""
            22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            23 22 0:21 / /proc rw - proc proc rw
            24 22 8:2 / /srv/a\040b rw master:3 shared:7 - xfs /dev/sdb rw
            25 22 8:2 /data /mnt/data rw - xfs /dev/sdb rw
            26 22 8:2 /data/deep\134x /deep rw - xfs /dev/sdb rw
            nonsense
            27 22 8: / /broken rw - xfs x rw
            28 22 0:40 /@home /home rw - btrfs /dev/sdc rw
            """#.utf8))

    private func path(_ major: UInt32, _ minor: UInt32, _ inner: String, prefers: String? = nil) -> String? {
        var path: [UInt8] = []
        let found = Array(inner.utf8).withUnsafeBytes { inner in
            Self.table.hostPath(device: major << 20 | minor, inner: inner, into: &path) { candidate in
                prefers.map { candidate.starts(with: Array($0.utf8)) } ?? false
            }
        }
        return found == .visible ? String(decoding: path, as: UTF8.self) : nil
    }

    @Test("lines that are not of the format are left out")
    func parsing() {
        #expect(Self.table.mounts.count == 6)
        #expect(Self.table.mounts[2].point == Array("/srv/a b".utf8))
        #expect(Self.table.mounts[4].root == Array(#"/data/deep\x"#.utf8))
        #expect(Self.table.mounts[5].type == "btrfs")
        #expect(MountTable(parsing: []).mounts.isEmpty)
        #expect(MountTable(parsing: [0xff, 0x0a, 0x20, 0x20]).mounts.isEmpty)
    }

    @Test("the first mount that shows it, or the one that is preferred")
    func paths() {
        #expect(path(8, 1, "/etc/passwd") == "/etc/passwd")
        #expect(path(8, 1, "/") == "/")
        #expect(path(8, 2, "/data/x") == "/srv/a b/data/x")
        #expect(path(8, 2, "/data/x", prefers: "/mnt/data") == "/mnt/data/x")
        #expect(path(8, 2, "/data", prefers: "/mnt") == "/mnt/data")
        #expect(path(8, 2, "/data/x", prefers: "/nowhere") == "/srv/a b/data/x")
        #expect(path(0, 40, "/@home/u/f") == "/home/u/f")
    }

    @Test("what no mount of the host shows has no host path")
    func unreachable() {
        #expect(path(9, 9, "/etc/passwd") == nil)
        // A sibling whose name only begins like the mount's root.
        #expect(path(0, 40, "/@homework/f") == nil)
        #expect(path(0, 40, "/@") == nil)
    }
}

@Suite("Mounts over mounts")
struct CoveredMountTests {
    static let table = MountTable(
        parsing: Array(
            #"""
            1 1 0:2 / / rw - rootfs none rw
            22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
            30 22 8:2 / /srv rw - ext4 /dev/sdb rw
            31 30 8:3 / /srv rw - ext4 /dev/sdc rw
            32 31 8:4 / /srv/new\012line rw - ext4 /dev/sdd rw
            33 30 8:5 / /srv/below rw - ext4 /dev/sde rw
            34 22 8:2 /sub /bind rw - ext4 /dev/sdb rw
            35 22 0:50 / /var/merged rw - overlay overlay rw,lowerdir=/l,upperdir=/u
            36 22 0:60 /@ /btr rw - btrfs /dev/sdf rw,subvol=/@
            37 36 0:60 /@snap /btr/snap rw - btrfs /dev/sdf rw,subvol=/@snap
            38 22 8:2 /gone//deleted /gone rw - ext4 /dev/sdb rw
            """#.utf8))

    private func path(_ major: UInt32, _ minor: UInt32, _ inner: String) -> (String, MountTable.Reach)? {
        var path: [UInt8] = []
        let reach = Array(inner.utf8).withUnsafeBytes { Self.table.hostPath(device: major << 20 | minor, inner: $0, into: &path) { _ in false } }
        return reach.map { (String(decoding: path, as: UTF8.self), $0) }
    }

    @Test("a later mount on the same point hides the earlier, and what lies on that", arguments: [
        (8, 1, "/etc/x", "/etc/x", true), (8, 1, "/srv/x", "/srv/x", false), (8, 2, "/x", "/srv/x", false), (8, 2, "/sub/x", "/bind/x", true),
        (8, 3, "/x", "/srv/x", true), (8, 4, "/x", "/srv/new\nline/x", true), (8, 5, "/x", "/srv/below/x", false), (0, 50, "/etc/p", "/var/merged/etc/p", true),
        (0, 60, "/@/snap/x", "/btr/snap/x", false), (0, 60, "/@snap/x", "/btr/snap/x", true), (0, 60, "/@/x", "/btr/x", true), (0, 2, "/x", "/x", false),
    ] as [(UInt32, UInt32, String, String, Bool)])
    func visible(major: UInt32, minor: UInt32, inner: String, expected: String, reached: Bool) throws {
        let found = try #require(path(major, minor, inner))
        #expect(found.0 == expected)
        #expect(found.1 == (reached ? .visible : .hidden))
    }

    @Test("mounts that no name leads to")
    func hidden() { #expect(Self.table.mounts.filter(\.hidden).map(\.id) == [1, 30, 33]) }

    @Test("points that another table does not have")
    func differences() {
        let other = MountTable(parsing: Array("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n40 22 8:9 / /media/usb rw - vfat /dev/sdg rw\n".utf8))
        #expect(other.points(beyond: Self.table) == [Array("/media/usb".utf8)])
        #expect(Self.table.points(beyond: other).count == 10)
    }

    @Test("thousands of mounts are found as few are")
    func many() {
        var text = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        for index in 100..<5100 { text += "\(index) 22 8:1 /pods/\(index) /var/pods/\(index) rw - ext4 /dev/sda1 rw\n" }
        let table = MountTable(parsing: Array(text.utf8))
        var path: [UInt8] = []
        let clock = ContinuousClock()
        let time = clock.measure {
            for index in 100..<5100 {
                let inner = Array("/pods/\(index)/file".utf8)
                let reach = inner.withUnsafeBytes { table.hostPath(device: 8 << 20 | 1, inner: $0, into: &path) { $0.starts(with: Array("/var".utf8)) } }
                #expect(reach == .visible)
                #expect(path == Array("/var/pods/\(index)/file".utf8))
            }
        }
        // A scan of all mounts for each would take minutes in a debug build.
        #expect(time < .seconds(10))
    }

    @Test("mounts of another namespace below a watched tree")
    func namespaces() {
        var watched = WatchPaths()
        watched.add("/etc", watched: true)
        watched.add("/etc/cache", watched: false)
        let container = MountTable(
            parsing: Array(
                """
                200 1 8:1 / / rw - ext4 /dev/sda1 rw
                201 200 0:70 / /etc/secret rw - tmpfs tmpfs rw
                202 201 0:71 / /etc/secret/deep rw - tmpfs tmpfs rw
                203 200 0:72 / /tmp rw - tmpfs tmpfs rw
                204 200 8:1 /etc /etc/again rw - ext4 /dev/sda1 rw
                205 200 0:73 / /etc/cache rw - tmpfs tmpfs rw
                206 200 0:74 / /srv rw - tmpfs tmpfs rw
                207 206 0:75 / /srv/etc rw - tmpfs tmpfs rw
                """.utf8))
        let found = MountNamespaces.below(container, watched, Self.table)
        #expect(found.map { String(decoding: $0.point, as: UTF8.self) } == ["/etc/secret", "/etc/secret/deep"])
    }
}

@Suite("Watched names: the nearest entry decides")
struct WatchPathsTests {
    private func paths() -> WatchPaths {
        var paths = WatchPaths()
        paths.add("/etc/", watched: true)
        paths.add("/etc/cache", watched: false)
        paths.add("/etc/cache/keep", watched: true)
        return paths
    }

    @Test(arguments: [
        ("/etc", true), ("/etc/passwd", true), ("/etcetera", false), ("/", false), ("/etc/cache", false), ("/etc/cache/x", false),
        ("/etc/cached", true), ("/etc/cache/keep/x", true), ("", false),
    ])
    func nearest(path: String, watched: Bool) {
        #expect(paths().contains(Array(path.utf8)) == watched)
    }

    @Test("the root watches everything")
    func root() {
        var paths = WatchPaths()
        paths.add("/", watched: true)
        #expect(paths.contains(Array("/any/thing".utf8)))
    }
}

@Suite("Capabilities that are missing are named")
struct CapabilitiesTests {
    @Test func all() { #expect(Capabilities.missing(effective: .max).isEmpty) }
    @Test func none() {
        #expect(Capabilities.missing(effective: 0) == ["CAP_BPF", "CAP_PERFMON", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"])
    }
    @Test("CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON")
    func administrator() { #expect(Capabilities.missing(effective: 1 << 21 | 1 << 2).isEmpty) }
}

@Suite("The table of hooks")
struct HookTests {
    static let all = Hook.exec + [Hook.failedExec, Hook.fork, Hook.exit] + Hook.file + Hook.module

    @Test("every hook has a way to be seen, and says what is missing without it")
    func complete() {
        for hook in Self.all {
            #expect(!hook.alternatives.isEmpty && hook.alternatives.allSatisfy { alternative in alternative.contains { !$0.optional } })
            #expect(!hook.without.isEmpty)
        }
        #expect(Set(Self.all.map(\.promise)).count == Self.all.count)
    }

    @Test("LSM before fentry, and tracepoints last")
    func order() {
        let rank: [Style: Int] = [.lsm: 0, .fentry: 1, .tracepoint: 2]
        for hook in Self.all {
            let ranks = hook.alternatives.map { rank[$0[0].style]! }
            #expect(ranks == ranks.sorted())
        }
    }

    @Test("every file hook can be taken over by the tracepoint style")
    func operations() {
        #expect(Hook.file.allSatisfy { $0.operation != 0 })
    }
}
