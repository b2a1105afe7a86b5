internal import CThroughput
internal import KernelABI

/// The records that the rings are filled with: what a database server's host does, in sizes that real ones have.
enum Templates {
    /// Thirty-two execs, twenty-four file records, eight exits.
    static func all() -> [[UInt8]] {
        (0..<Int(bench_templates())).map { index in
            switch index % 8 {
            case 0, 2, 4, 6: exec(index)
            case 1, 3, 5: file(index)
            default: exit(index)
            }
        }
    }

    private static let programs = [
        ("/usr/lib/postgresql/15/bin/postgres", "postgres", "/usr/lib/postgresql/15/bin/postgres\0-D\0/var/lib/postgresql/15/main\0-c\0shared_buffers=128MB\0"),
        ("/usr/bin/rsync", "rsync", "rsync\0-a\0--delete\0/srv/www/\0backup@archive.example.net:/srv/backup/www/\0"),
        ("/usr/bin/bash", "bash", "/bin/sh\0-c\0test -x /usr/sbin/anacron || run-parts --report /etc/cron.daily\0"),
        ("/usr/bin/python3.11", "python3", "python3\0/opt/billing/bin/report.py\0--customer=K\u{f6}nig & S\u{f6}hne\0--note=\"monthly\"\0"),
        ("/usr/sbin/logrotate", "logrotate", "/usr/sbin/logrotate\0/etc/logrotate.conf\0"),
    ]
    /// In the actor's mount namespace, and from the root of the file system: one of its own, the root's, and in a container
    /// a mount of a file that has another name there.
    private static let paths = [
        ("/var/lib/postgresql/15/main/base/16384/2619", "/15/main/base/16384/2619"),
        ("/etc/systemd/system/multi-user.target.wants/ssh.service", "/etc/systemd/system/multi-user.target.wants/ssh.service"),
        ("/usr/lib/x86_64-linux-gnu/libpq.so.5.15", "/usr/lib/x86_64-linux-gnu/libpq.so.5.15"),
        ("/var/lib/postgresql/15/main/pg_wal/000000010000000000000042", "/15/main/pg_wal/000000010000000000000042"),
        ("/etc/resolv.conf", "/var/lib/docker/containers/0f3c5d2a9b41/resolv.conf"),
    ]

    private static func exec(_ index: Int) -> [UInt8] {
        let (path, name, arguments) = programs[index / 2 % programs.count]
        var record = hv_exec()
        record.header.kind = UInt16(HV_KIND_EXEC.rawValue)
        record.header.flags = UInt16(HV_EXEC_BEFORE)
        record.actor = actor(index, name: name)
        record.executable = object(index, mode: 0o100755)
        record.before = hv_credentials(capabilities: 0, uid: 26, gid: 26, euid: 26, egid: 26, suid: 26, sgid: 26)
        record.args_count = UInt32(arguments.utf8.count { $0 == 0 })
        record.args_size = UInt32(arguments.utf8.count)
        record.old_tid = record.actor.tid
        if index % 16 == 14 { record.error = -13 }
        let strings = [record.error == 0 ? path : "", path, "", "/var/lib/postgresql", "/system.slice/postgresql.service", arguments]
        return assemble(record, strings, slots: MemoryLayout<hv_exec>.offset(of: \.strings))
    }

    private static func file(_ index: Int) -> [UInt8] {
        let (path, inner) = paths[index / 2 % paths.count]
        var record = hv_file()
        record.header.kind = UInt16(HV_KIND_FILE.rawValue)
        record.actor = actor(index, name: "postgres")
        record.object = object(index, mode: 0o100644)
        record.watch = 3
        switch index / 2 % 4 {
        case 0, 1:
            record.action = HV_FILE_WRITE.rawValue
            record.header.flags = UInt16(index % 3 == 0 ? HV_FILE_CLOSED : HV_FILE_OPEN)
            record.operations = UInt64(index)
            // Hooks that run behind the write don't know the size before it.
            record.size_before = index % 5 == 0 ? .max : 8192
            record.first = 1_000_000_000_000
            record.last = 1_000_123_456_789
            record.via = UInt32(HV_VIA_WRITE)
            if index % 16 == 1 { record.via |= UInt32(HV_VIA_FALLOCATE) }
            if index % 16 == 3 {
                record.header.flags |= UInt16(HV_FILE_IO_URING)
                record.via = UInt32(HV_VIA_IO_URING)
            }
            // As with files.detail.
            if index % 32 == 9 { (record.value, record.value_2) = (8192, 1_703_936) }
        case 2:
            record.action = HV_FILE_CREATE.rawValue
        default:
            record.action = HV_FILE_DELETE.rawValue
            record.header.flags = UInt16(HV_FILE_PENDING)
            record.operation = 0x1_0000_0000 | UInt64(index)
        }
        // The kernel sends one of both where it is the end of the other.
        let suffix = path.hasSuffix(inner)
        return assemble(
            record, [inner, path, "", "", "", "", "", ""], suffixes: suffix ? 1 : 0, slots: MemoryLayout<hv_file>.offset(of: \.strings))
    }

    private static func exit(_ index: Int) -> [UInt8] {
        var record = hv_exit()
        record.header.kind = UInt16(HV_KIND_EXIT.rawValue)
        record.actor = actor(index, name: "postgres")
        record.status = index % 16 == 7 ? 9 : UInt32(index % 2) << 8
        return assemble(record, [], slots: nil)
    }

    private static func actor(_ index: Int, name: String) -> hv_actor {
        var actor = hv_actor()
        actor.start = 987_654_321_098 + UInt64(index) * 1_000_003
        actor.parent_start = 5_000_000_002
        actor.cgroup = 4711
        actor.capabilities = index % 4 == 0 ? 0x1ff_ffff_ffff : 0
        actor.pid = UInt32(20_000 + index)
        actor.tid = actor.pid
        actor.parent_pid = 812
        (actor.uid, actor.gid, actor.euid, actor.egid, actor.suid, actor.sgid) = (26, 26, 26, 26, 26, 26)
        actor.login_uid = index % 2 == 0 ? .max : 1000
        actor.session = index % 2 == 0 ? .max : 7
        actor.tty = index % 2 == 0 ? 0 : 136 << 20 | 2
        actor.task_flags = index % 4 == 0 ? 0x0040_0100 : 0x0040_0000
        (actor.ns_mount, actor.ns_pid, actor.ns_user, actor.ns_network) = (4_026_531_841, 4_026_531_836, 4_026_531_837, 4_026_531_840)
        (actor.ns_ipc, actor.ns_uts, actor.ns_cgroup) = (4_026_531_839, 4_026_531_838, 4_026_531_835)
        withUnsafeMutableBytes(of: &actor.comm) { $0.copyBytes(from: name.utf8) }
        withUnsafeMutableBytes(of: &actor.parent_comm) { $0.copyBytes(from: "systemd".utf8) }
        return actor
    }

    private static func object(_ index: Int, mode: UInt32) -> hv_object {
        hv_object(
            inode: 1_234_567 + UInt64(index), size: 1_234_376, mtime: 1_700_000_000_123_456_789, device: 8 << 20 | 1, generation: 99,
            mode: mode, links: 1, uid: 0, gid: 0)
    }

    /// The record with its strings behind it; the first `suffixes` of them are the end of the next and not carried.
    private static func assemble<Record>(_ record: Record, _ strings: [String], suffixes: Int = 0, slots: Int?) -> [UInt8] {
        var bytes = withUnsafeBytes(of: record) { [UInt8]($0) }
        if let slots {
            for (index, string) in strings.enumerated() {
                let slot = hv_string(length: UInt16(string.utf8.count), flags: index < suffixes ? UInt16(HV_STRING_SUFFIX) : 0)
                bytes.withUnsafeMutableBytes { $0.storeBytes(of: slot, toByteOffset: slots + index * 4, as: hv_string.self) }
            }
        }
        for string in strings.dropFirst(suffixes) { bytes += Array(string.utf8) }
        let size = UInt32(bytes.count)
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: size, as: UInt32.self) }
        return bytes
    }
}
