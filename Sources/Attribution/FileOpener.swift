internal import Glibc
internal import KernelABI

/// Opens the very file that an identity tells of, or none. On the worker's thread.
///
/// Nothing is asked of a file system before it is known which kind it is: the kernel's own names are used for the way there, and the mount
/// that the file lies in says the rest.
struct FileOpener {
    struct Opened {
        /// For reading; whoever has it closes it.
        var descriptor: Int32
        /// Whether the inode's numbers that the kernel side sees may lag behind its content.
        var follows: Bool
        /// The numbers are those of the identity, all of them.
        var exact: Bool
        /// A process runs it, so that nobody can write to it.
        var running: Bool
    }

    /// Whether remote file systems are read too.
    let remote: Bool

    /// A change within this time of another may have the same time stamp: a tick of the slowest kernel (HZ=100), nanoseconds.
    static let tick: UInt64 = 10_000_000
    /// Of /proc/PID/stat: USER_HZ is 100 on all that this runs on.
    static let userTick: UInt64 = 10_000_000

    func open(_ job: HashJob) -> Result<Opened, HashFailure> {
        var failure = HashFailure.gone
        func attempt(_ way: () -> Result<Opened, HashFailure>) -> Opened? {
            switch way() {
            case .success(let opened): return opened
            case .failure(let other):
                // The first that says more.
                if failure == .gone { failure = other }
                return nil
            }
        }
        if job.what == .executable, let opened = attempt({ running(job) }) { return .success(opened) }
        // A name leads to what is there now. Whether that has been there at the time, only a change's time stamp can tell.
        guard job.identity.ctime &+ Self.tick <= job.time else { return .failure(failure == .gone ? .changed : failure) }
        if !job.hostPath.isEmpty, let opened = attempt({ named(job.hostPath, root: -1, mounts: "/proc/self/mountinfo", job) }) { return .success(opened) }
        if !job.actorPath.isEmpty {
            for process in [job.pid, job.parent] where process != 0 {
                if let opened = attempt({ inRoot(of: process, job) }) { return .success(opened) }
            }
        }
        return .failure(failure)
    }

    /// What the process runs, also where no name is left of it.
    private func running(_ job: HashJob) -> Result<Opened, HashFailure> {
        let handle = hv_open_path("/proc/\(job.pid)/exe")
        guard handle >= 0 else { return .failure(.gone) }
        defer { close(handle) }
        // Behind the opening: what was opened is this process's, and no later one's with the same number.
        guard let start = Self.start(of: job.pid), start == job.start / Self.userTick else { return .failure(.gone) }
        return check(handle, mounts: ["/proc/\(job.pid)/mountinfo", "/proc/self/mountinfo"], job, running: true)
    }

    private func inRoot(of process: UInt32, _ job: HashJob) -> Result<Opened, HashFailure> {
        let root = hv_open_path("/proc/\(process)/root")
        guard root >= 0 else { return .failure(.gone) }
        defer { close(root) }
        return named(job.actorPath, root: root, mounts: "/proc/\(process)/mountinfo", job)
    }

    private func named(_ path: [UInt8], root: Int32, mounts: String, _ job: HashJob) -> Result<Opened, HashFailure> {
        guard path.first == 0x2f, !path.contains(0) else { return .failure(.gone) }
        var handle = below(root, path, cached: true)
        if handle < 0, errno == EAGAIN || errno == EINVAL {
            // A file system has to be asked for a name: not one that might never answer.
            guard let text = contents(mounts) else { return .failure(.gone) }
            if !remote, MountLine.mayHang(path, in: text) { return .failure(.networkFileSystem) }
            handle = below(root, path, cached: false)
        }
        guard handle >= 0 else { return .failure(.gone) }
        defer { close(handle) }
        return check(handle, mounts: [mounts], job, running: false)
    }

    private func below(_ root: Int32, _ path: [UInt8], cached: Bool) -> Int32 {
        (path + [0]).withUnsafeBytes { hv_open_below(root, $0.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self), cached ? 1 : 0) }
    }

    private func check(_ handle: Int32, mounts: [String], _ job: HashJob, running: Bool) -> Result<Opened, HashFailure> {
        let mount = Self.mount(of: handle).flatMap { Self.line(of: $0, in: mounts) }
        let kind: FileSystemKind
        if let mount {
            guard mount.device == job.identity.device else { return .failure(.changed) }
            kind = mount.fileSystem
        } else {
            // A mount of the kernel's own (memfd), or one that has been taken away. Those that people without privileges make answer this at once.
            kind = FileSystemKind(magic: hv_file_system(handle))
        }
        if kind == .remote, !remote { return .failure(.networkFileSystem) }
        var status = stat()
        guard fstat(handle, &status) == 0 else { return .failure(.unreadable) }
        if mount == nil, hv_device(UInt64(status.st_dev)) != job.identity.device { return .failure(.changed) }
        guard status.st_mode & S_IFMT == S_IFREG else { return .failure(.unreadable) }
        let exact = status.isSame(job.identity)
        // An unlink changes it as well. What runs can't be written to, and what has no name can't be run by one again.
        guard exact || running && status.st_nlink == 0 && status.isSame(job.identity, butForCtime: true) else { return .failure(.changed) }
        let opened = hv_open_again(handle)
        guard opened >= 0 else { return .failure(.unreadable) }
        return .success(Opened(descriptor: opened, follows: kind != .local, exact: exact, running: running))
    }

    /// What the first of these tables that has the mount says of it. Each is read once: it changes at any time.
    static func line(of mount: UInt64, in tables: [String]) -> MountLine? {
        for table in tables {
            if let text = contents(table), let line = MountLine(id: mount, in: text) { return line }
        }
        return nil
    }

    /// The id of the mount that a descriptor's file was reached by.
    static func mount(of descriptor: Int32) -> UInt64? {
        guard let text = contents("/proc/self/fdinfo/\(descriptor)", limit: 4096) else { return nil }
        for line in text.split(separator: 0x0a) where line.starts(with: "mnt_id:".utf8) {
            return decimal(line.dropFirst(7).drop { $0 == 0x09 || $0 == 0x20 })
        }
        return nil
    }

    /// start_boottime in `userTick`, field 22 of /proc/PID/stat (proc_pid_stat(5)).
    static func start(of process: UInt32) -> UInt64? {
        // The name, in parentheses, may have any byte but NUL in it.
        guard let text = contents("/proc/\(process)/stat", limit: 8192), let end = text.lastIndex(of: 0x29) else { return nil }
        let fields = text[(end + 1)...].split(separator: 0x20)
        return fields.count > 19 ? decimal(fields[19]) : nil
    }
}

extension stat {
    func isSame(_ identity: FileIdentity, butForCtime: Bool = false) -> Bool {
        UInt64(st_ino) == identity.inode && UInt64(bitPattern: Int64(st_size)) == identity.size && nanoseconds(st_mtim) == identity.mtime
            && (butForCtime || nanoseconds(st_ctim) == identity.ctime)
    }
}

/// Since 1970.
func nanoseconds(_ time: timespec) -> UInt64 { UInt64(bitPattern: Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)) }

func clock(_ id: clockid_t) -> UInt64 {
    var now = timespec()
    clock_gettime(id, &now)
    return nanoseconds(now)
}
