import KernelABI
import Rings
import Testing

@testable import Events

/// The actions on files beyond create, write, rename and delete, and what a joined result adds.
@Suite("Changes of files")
struct FileChangeTests {
    /// An event of a record and, where one is given, the result of its operation.
    private func event(_ record: [UInt8], result: [UInt8]? = nil) throws -> JSON {
        guard let result else { return try parse(encode(record)) }
        let bytes = result.span.bytes
        guard let view = ResultView(bytes) else {
            Issue.record("no result")
            return .null
        }
        return try parse(encode(record, Resolution(view)))
    }

    @Test(arguments: [
        (HV_VIA_WRITE, ["write"]), (HV_VIA_MMAP, ["mmap"]), (HV_VIA_IO_URING, ["io_uring"]), (HV_VIA_AIO, ["aio"]),
        (HV_VIA_SENDFILE, ["sendfile"]), (HV_VIA_SPLICE, ["splice"]), (HV_VIA_COPY, ["copy_file_range"]), (HV_VIA_REFLINK, ["reflink"]),
        (HV_VIA_FALLOCATE, ["fallocate"]), (HV_VIA_TRUNCATE, ["truncate"]), (HV_VIA_KERNEL, ["kernel"]), (HV_VIA_OTHER, ["other"]),
        (HV_VIA_MMAP | HV_VIA_WRITE, ["write", "mmap"]), (HV_VIA_OTHER | HV_VIA_AIO | 1 << 31, ["aio", "other", "bit_31"]),
    ])
    func via(_ ways: Int32, _ words: [String]) throws {
        let event = try event(Records.file(flags: HV_FILE_OPEN) { $0.via = UInt32(bitPattern: ways) })
        #expect(event["hypervigil.write.via"] == (words.count == 1 ? .string(words[0]) : .array(words.map(JSON.string))))
        // The process that made the ring is only where a worker did it.
        #expect(event["hypervigil.write.owner"] == nil)
        #expect(event["hypervigil.write.open"] == .bool(true))
    }

    @Test func ringEntries() throws {
        let write = try event(Records.file(flags: HV_FILE_IO_URING) { $0.via = UInt32(HV_VIA_IO_URING) })
        #expect(write["hypervigil.write.via"]?.text == "io_uring" && write["hypervigil.write.owner"] == .bool(true))
        let rename = try event(Records.file(HV_FILE_RENAME, flags: HV_FILE_IO_URING))
        #expect(rename["hypervigil.write"]?.leaves().count == 2)
        #expect(rename["hypervigil.write.via"]?.text == "io_uring" && rename["hypervigil.write.owner"] == .bool(true))
        let plain = try event(Records.file(HV_FILE_RENAME) { $0.via = UInt32(HV_VIA_WRITE) })
        #expect(plain["hypervigil.write"] == nil)
    }

    @Test func totals() throws {
        func members(_ flags: Int32, _ bytes: UInt64, _ offset: UInt64) throws -> [Int?] {
            let event = try event(Records.file(flags: flags) { ($0.value, $0.value_2) = (bytes, offset) })
            return [event["hypervigil.write.bytes"]?.integer, event["hypervigil.write.offset"]?.integer]
        }
        // The flags say whether they are known: 0 is a number like any other.
        #expect(try members(0, 7, 7) == [nil, nil])
        #expect(try members(HV_FILE_BYTES, 0, 0) == [0, nil])
        #expect(try members(HV_FILE_BYTES, 7, 9) == [7, nil])
        #expect(try members(HV_FILE_BYTES | HV_FILE_OFFSET, 7, 0) == [7, 0])
        #expect(try members(HV_FILE_BYTES | HV_FILE_OFFSET, 7, 1 << 40) == [7, 1 << 40])
        let evicted = try event(Records.file(flags: HV_FILE_EVICTED) { $0.size_before = .max })
        #expect(evicted["hypervigil.write.evicted"] == .bool(true) && evicted["hypervigil.write.open"] == nil)
        #expect(evicted["hypervigil.write.size_before"] == nil)
        #expect(try event(Records.file())["hypervigil.write.evicted"] == nil)
    }

    @Test func truncate() throws {
        func sizes(_ asked: UInt64, error: Int32? = nil, result: [UInt8]? = nil) throws -> [Int?] {
            let pending = result != nil || error == nil
            let record = Records.file(HV_FILE_TRUNCATE, flags: pending ? HV_FILE_PENDING : 0, error: error ?? 0) { $0.value = asked }
            let event = try event(record, result: result)
            #expect(event["hypervigil.write.via"]?.text == "truncate")
            #expect(event["hypervigil.write.operations"] == nil && event["hypervigil.write.open"] == nil)
            #expect(event["file.inode"]?.text == "1234567" && event["file.type"]?.text == "file")
            return [event["hypervigil.write.size_before"]?.integer, event["file.size"]?.integer]
        }
        var after = Records.object()
        after.size = 99
        #expect(try sizes(17) == [1_234_376, 17])
        #expect(try sizes(.max) == [1_234_376, nil])
        #expect(try sizes(17, error: -1) == [1_234_376, 1_234_376])
        #expect(try sizes(17, result: Records.result(error: 0)) == [1_234_376, 17])
        #expect(try sizes(.max, result: Records.result(error: 0, value: 5)) == [1_234_376, 5])
        #expect(try sizes(.max, result: Records.result(error: 0, object: after)) == [1_234_376, 99])
        #expect(try sizes(17, result: Records.result(error: 0, value: 5, object: after)) == [1_234_376, 5])
        #expect(try sizes(17, result: Records.result(error: -13)) == [1_234_376, 1_234_376])
        let ring = try event(Records.file(HV_FILE_TRUNCATE, flags: HV_FILE_IO_URING) { $0.value = 0 })
        #expect(ring["hypervigil.write.via"]?.texts == ["io_uring", "truncate"])
    }

    @Test func chmod() throws {
        let record = Records.file(HV_FILE_CHMOD, flags: HV_FILE_PENDING) { $0.value = 0o4755 }
        let done = try event(record, result: Records.result(error: 0, object: Records.object(mode: 0o104755)))
        #expect(done["hypervigil.change.mode"]?.text == "4755" && done["hypervigil.change.mode_before"]?.text == "0644")
        #expect(done["file.mode"]?.text == "4755" && done["event.outcome"]?.text == "success")
        let refused = try event(record, result: Records.result(error: -1))
        #expect(refused["file.mode"]?.text == "0644" && refused["error.code"]?.text == "EPERM")
        let bare = try event(Records.file(HV_FILE_CHMOD) { ($0.value, $0.object) = (0, hv_object()) })
        #expect(bare["hypervigil.change.mode"]?.text == "0000" && bare["hypervigil.change.mode_before"] == nil && bare["file.mode"] == nil)
    }

    @Test func chown() throws {
        func owners(_ uid: UInt64, _ gid: UInt64) throws -> [String?] {
            let event = try event(
                Records.file(HV_FILE_CHOWN) {
                    ($0.value, $0.value_2) = (uid, gid)
                    ($0.object.uid, $0.object.gid) = (3, 4)
                })
            return ["uid", "gid", "uid_before", "gid_before"].map { event["hypervigil.change.\($0)"]?.text }
        }
        #expect(try owners(1, 2) == ["1", "2", "3", "4"])
        #expect(try owners(.max, 2) == [nil, "2", "3", "4"])
        #expect(try owners(0, .max) == ["0", nil, "3", "4"])
    }

    @Test func attributes() throws {
        let set = try event(Records.file(HV_FILE_SETXATTR, text: Array("user.a".utf8)) { $0.value = 0 })
        #expect(set["hypervigil.change.xattr"]?.text == "user.a" && set["hypervigil.change.size"]?.integer == 0)
        let removed = try event(
            Records.file(HV_FILE_REMOVEXATTR, text: Array("user.a".utf8), stringFlags: [0, 0, 0, 0, 0, 0, 9]) { $0.value = 3 })
        #expect(removed["hypervigil.change.xattr"]?.text == "user.a" && removed["hypervigil.change.size"] == nil)
        #expect(removed["hypervigil.change.truncated"]?.texts == ["xattr"] && removed["hypervigil.change.unreadable"]?.texts == ["xattr"])
        #expect(removed["hypervigil.path.flags"]?.texts == ["unreachable"], "the path is whole")
        #expect(try event(Records.file(HV_FILE_UTIMES))["hypervigil.change"] == nil)
    }

    @Test func flags() throws {
        let event = try event(Records.file(HV_FILE_SETFLAGS) { ($0.value, $0.value_2) = (0x30, 0) })
        #expect(event["hypervigil.change.flags"]?.texts == ["immutable", "append"])
        #expect(event["hypervigil.change.flags_before"]?.texts == [])
        let words = try self.event(Records.file(HV_FILE_SETFLAGS) { ($0.value, $0.value_2) = (0x7fff_ffff, .max) })
        #expect(
            words["hypervigil.change.flags"]?.texts == [
                "secrm", "undelete", "compr", "sync", "immutable", "append", "nodump", "noatime", "nocomp", "encrypt", "index", "journal_data",
                "notail", "dirsync", "topdir", "huge_file", "extents", "verity", "ea_inode", "nocow", "dax", "inline_data", "projinherit",
                "casefold", "0xd402300",
            ])
        #expect(words["hypervigil.change.flags_before"] == nil)
        let foreign = try self.event(Records.file(HV_FILE_SETFLAGS) { ($0.value, $0.value_2) = (1 << 63 | 0x8000_0001, .max - 1) })
        #expect(foreign["hypervigil.change.flags"]?.texts == ["secrm", "0x8000000080000000"])
    }

    @Test func links() throws {
        let link = try event(Records.file(HV_FILE_LINK, targetInner: Array("/b".utf8), targetActor: Array("/mnt/b".utf8)))
        #expect(link["file.target_path"]?.text == "/mnt/b" && link["hypervigil.target.inner"]?.text == "/b")
        #expect(link["file.path"]?.text == "/etc/passwd" && link["event.type"]?.texts == ["creation"])
        let record = Records.made(HV_FILE_SYMLINK, text: Array("../b".utf8))
        let symlink = try event(record)
        #expect(symlink["file.path"]?.text == "/etc/passwd" && symlink["file.target_path"]?.text == "../b")
        #expect(symlink["file.type"]?.text == "symlink" && symlink["file.inode"] == nil && symlink["hypervigil.target"] == nil)
        let done = try event(record, result: Records.result(error: 0, object: Records.object(inode: 9, mode: 0o120777)))
        #expect(done["file.inode"]?.text == "9" && done["file.type"]?.text == "symlink" && done["file.mode"]?.text == "0777")
        let cut = try event(Records.file(HV_FILE_SYMLINK, text: Array("b".utf8), stringFlags: [0, 0, 0, 0, 0, 0, 1]))
        #expect(cut["hypervigil.target.flags"]?.texts == ["truncated"])
    }

    @Test func made() throws {
        let record = Records.made(HV_FILE_MKDIR) { $0.value = 0o1777 }
        let attempt = try event(record)
        #expect(attempt["hypervigil.change.mode"]?.text == "1777" && attempt["file.type"]?.text == "dir" && attempt["file.mode"] == nil)
        #expect(attempt["event.outcome"]?.text == "unknown")
        let done = try event(record, result: Records.result(error: 0, object: Records.object(inode: 9, mode: 0o041755)))
        #expect(done["file.mode"]?.text == "1755" && done["file.inode"]?.text == "9" && done["file.device"]?.text == "8:1")
        let node = try event(Records.made(HV_FILE_MKNOD) { ($0.value, $0.value_2) = (0o020620, 136 << 20 | 4) })
        #expect(node["hypervigil.change.device"]?.text == "136:4" && node["hypervigil.change.mode"]?.text == "0620")
        #expect(node["file.type"]?.text == "character")
        let fifo = try event(Records.made(HV_FILE_MKNOD) { ($0.value, $0.value_2) = (0o010620, 136 << 20 | 4) })
        #expect(fifo["hypervigil.change.device"] == nil && fifo["file.type"]?.text == "fifo")
    }

    @Test(arguments: [
        (HV_MOUNT_NEW, "mount"), (HV_MOUNT_BIND, "bind"), (HV_MOUNT_MOVE, "move"), (HV_MOUNT_REMOUNT, "remount"),
        (HV_MOUNT_PROPAGATION, "propagation"), (HV_MOUNT_PIVOT_ROOT, "pivot_root"), (hv_mount(rawValue: 99), nil),
    ] as [(hv_mount, String?)])
    func mountOperations(_ operation: hv_mount, _ word: String?) throws {
        let event = try event(Records.file(HV_FILE_MOUNT) { $0.value_2 = UInt64(operation.rawValue) })
        #expect(event["hypervigil.mount.operation"]?.text == word)
        #expect(event["hypervigil.mount.source"] == nil && event["hypervigil.mount.type"] == nil)
        #expect(event["hypervigil.mount.flags"]?.texts == [])
    }

    @Test func mounts() throws {
        func flags(_ value: UInt64) throws -> [String]? {
            try event(Records.file(HV_FILE_MOUNT) { $0.value = value })["hypervigil.mount.flags"]?.texts
        }
        #expect(try flags(0xf | 1 << 12 | 1 << 14) == ["ro", "nosuid", "nodev", "noexec", "bind", "rec"])
        #expect(try flags(0xc0ed_0000 | 3) == ["ro", "nosuid"])
        #expect(try flags(1 << 18 | 1 << 31) == ["private", "0x80000000"])
        let mount = try event(
            Records.file(HV_FILE_MOUNT, text: Array("tmpfs".utf8), text2: Array("tmpfs".utf8), stringFlags: [0, 0, 0, 0, 0, 0, 1, 8]))
        #expect(mount["hypervigil.mount.source"]?.text == "tmpfs" && mount["hypervigil.mount.type"]?.text == "tmpfs")
        #expect(mount["hypervigil.mount.truncated"]?.texts == ["source"] && mount["hypervigil.mount.unreadable"]?.texts == ["type"])
        let umount = try event(Records.file(HV_FILE_UMOUNT))
        #expect(umount["hypervigil.mount.operation"]?.text == "umount" && umount["hypervigil.mount.flags"] == nil)
        #expect(umount["file.path"]?.text == "/etc/passwd")
    }

    @Test func kernelParameter() throws {
        let path = Array("/proc/sys/kernel/core_pattern".utf8)
        let event = try event(Records.file(HV_FILE_PARAMETER, actorPath: path, error: -22) { $0.value = 9 })
        #expect(event["file.path"]?.text == "/proc/sys/kernel/core_pattern" && event["hypervigil.write.bytes"]?.integer == 9)
        #expect(event["hypervigil.write"]?.leaves().count == 1 && event["error.code"]?.text == "EINVAL")
        #expect(event["event.category"]?.texts == ["driver"] && event["event.severity"]?.integer == 40)
    }

    @Test func mapping() throws {
        let event = try event(Records.file(HV_FILE_MMAP_WRITE) { $0.via = UInt32(HV_VIA_MMAP) })
        #expect(event["event.action"]?.text == "mmap-write")
        #expect(event["hypervigil.write"] == nil && event["hypervigil.change"] == nil)
    }

    /// The text of a truncation says what the result told.
    @Test func textOfResults() {
        var renderer = TextRenderer(color: false, width: nil, realtimeOffset: Records.offset)
        var writer = ByteWriter(capacity: 64)
        let record = Records.file(HV_FILE_TRUNCATE, flags: HV_FILE_PENDING) { $0.value = .max }
        let result = Records.result(error: 0, value: 5)
        guard let view = ResultView(result.span.bytes) else { Issue.record("no result"); return }
        renderer.render(record: record.span.bytes, Resolution(view), into: &writer)
        let line = writer.withBytes { String(decoding: $0, as: UTF8.self) }
        #expect(line.hasSuffix("/etc/passwd (1234376 to 5 bytes)\n"))
    }
}
