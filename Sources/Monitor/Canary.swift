internal import Glibc
internal import KernelABI
internal import Probes
internal import Rings

/// Acts of the monitor's own whose events must come back: attached is not firing. Its events never reach a sink.
final class Canary {
    private let own: UInt32
    private(set) var tried: Set<CanaryAct> = []
    private(set) var fired: Set<CanaryAct> = []
    /// File acts by device: what was tried and what came back.
    private(set) var files: [FileSystem] = []

    struct FileSystem {
        let device: UInt32
        let type: String
        let directory: String
        /// What it let the canary do.
        var tried: Set<CanaryAct> = []
        var fired: Set<CanaryAct> = []
        /// Nil: the acts were done.
        var untried: String?
    }
    static let fileActs: Set<CanaryAct> = [
        .fileCreate, .fileWrite, .fileClose, .fileRename, .fileDelete, .fileName, .fileAttribute, .fileExtended, .fileFlags, .fileMap,
    ]
    /// Promises that no program is there to keep.
    private let unpromised: Set<CanaryAct>

    init(_ reports: [HookReport]) {
        own = UInt32(getpid())
        unpromised = Self.fileActs.subtracting(reports.filter { $0.style != nil }.compactMap(\.canary))
    }

    var complete: Bool {
        fired.isSuperset(of: tried.subtracting(Self.fileActs))
            && files.allSatisfy { $0.untried != nil || $0.fired.isSuperset(of: $0.tried) }
    }

    // MARK: acts

    func actProcesses(forks: Bool, exits: Bool, failed: Bool, namespaces: Bool) {
        tried.formUnion([.exec, .credentials])
        if forks { tried.insert(.fork) }
        if exits { tried.insert(.exit) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor in 0...2 { posix_spawn_file_actions_addopen(&actions, Int32(descriptor), "/dev/null", O_RDWR, 0) }
        var child = pid_t()
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("hypervigil"), strdup("--version"), nil]
        defer { arguments.forEach { free($0) } }
        if posix_spawn(&child, "/proc/self/exe", &actions, nil, arguments, environ) == 0 {
            var status: Int32 = 0
            while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        }
        if namespaces {
            tried.insert(.namespace)
            // Of none: allowed, and nothing changes.
            _ = hv_unshare_nothing()
        }
        if failed {
            tried.insert(.failedExec)
            // A directory is never executed: EACCES, and nothing else happens.
            let none: [UnsafeMutablePointer<CChar>?] = [nil]
            execve("/", none, none)
        }
    }

    /// Calls that fail before they do anything.
    func actModules() {
        tried.insert(.module)
        _ = hv_refused_module_load()
    }

    /// Makes, writes, renames and deletes a file in a directory of its own on each watched file system.
    func actFiles(_ watch: WatchSet) {
        // With nothing to watch yet there is nowhere to act.
        guard !watch.fileSystems.isEmpty else { return }
        files = []
        for (index, system) in watch.fileSystems.enumerated() {
            var made = FileSystem(device: system.device, type: system.type, directory: "")
            guard let directory = Self.makeDirectory(device: system.device, mountPoint: system.mountPoint) else {
                made.untried = "no directory of it can be written to"
                files.append(made)
                continue
            }
            made = FileSystem(device: system.device, type: system.type, directory: directory)
            files.append(made)
            guard watch.addCanary(directory: directory) else {
                files[index].untried = "its identity is not known"
                rmdir(directory)
                continue
            }
            let acts = Self.act(in: directory)
            files[index].tried = acts.subtracting(unpromised)
            tried.formUnion(files[index].tried)
            if !acts.contains(.fileWrite) { files[index].untried = "it can't be written to" }
            watch.removeCanary()
            rmdir(directory)
        }
    }

    /// By names in an open directory: what the tracepoint style can settle in the kernel.
    ///
    /// - Returns: what the file system allowed.
    private static func act(in directory: String) -> Set<CanaryAct> {
        var done: Set<CanaryAct> = []
        func note(_ act: CanaryAct, _ result: Int32) { if result >= 0 { done.insert(act) } }
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(folder) }
        let file = openat(folder, "a", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        note(.fileCreate, file)
        if file >= 0 {
            note(.fileWrite, Int32(write(file, "canary", 6)))
            let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
            if let page, page != MAP_FAILED {
                done.insert(.fileMap)
                munmap(page, 4096)
            }
            note(.fileAttribute, fchmod(file, 0o640))
            note(.fileExtended, hv_set_attribute(file))
            // The flags that it has: nothing changes.
            note(.fileFlags, hv_set_flags_again(file))
            if close(file) == 0, done.contains(.fileWrite) { done.insert(.fileClose) }
        }
        note(.fileName, mkdirat(folder, "d", 0o700))
        unlinkat(folder, "d", AT_REMOVEDIR)
        note(.fileRename, renameat(folder, "a", folder, "b"))
        note(.fileDelete, unlinkat(folder, "b", 0))
        return done
    }

    private static func makeDirectory(device: UInt32, mountPoint: String) -> String? {
        for parent in ["/run", "/var/lib", "/var/tmp", "/tmp", "/dev/shm", "/root", "/etc", mountPoint] {
            var status = stat()
            guard stat(parent, &status) == 0 else { continue }
            // Where stat tells another device (btrfs, some overlays) only the mount point is sure.
            let kernelDevice = hv_device(UInt64(status.st_dev))
            guard kernelDevice == device || parent == mountPoint else { continue }
            let directory = (parent == "/" ? "" : parent) + "/.hypervigil-canary-\(getpid())"
            if mkdir(directory, 0o700) == 0 { return directory }
        }
        return nil
    }

    // MARK: what comes back

    /// True when the record is the canary's own, and noted.
    func takes(_ record: RawSpan) -> Bool {
        guard let header = HeaderView(record) else { return false }
        switch UInt32(header.kind) {
        case HV_KIND_EXEC.rawValue:
            guard let view = ExecView(record) else { return false }
            if view.error != 0 {
                guard view.actor.pid == own else { return false }
                fired.insert(.failedExec)
                return true
            }
            guard isOurs(view.actor) else { return false }
            fired.insert(.exec)
            if Int32(header.flags) & HV_EXEC_BEFORE != 0 { fired.insert(.credentials) }
            return true
        case HV_KIND_FORK.rawValue:
            guard let view = ForkView(record), isOurs(view.actor) else { return false }
            fired.insert(.fork)
            return true
        case HV_KIND_EXIT.rawValue:
            guard let view = ExitView(record), isOurs(view.actor) else { return false }
            fired.insert(.exit)
            return true
        case HV_KIND_FILE.rawValue:
            guard let view = FileView(record) else { return false }
            return takes(view)
        case HV_KIND_RESULT.rawValue:
            return false
        case HV_KIND_NAMESPACE.rawValue:
            guard let view = NamespaceView(record), view.actor.pid == own else { return false }
            fired.insert(.namespace)
            return true
        case HV_KIND_MODULE.rawValue:
            guard let view = ModuleView(record), view.actor.pid == own else { return false }
            fired.insert(.module)
            return true
        default: return false
        }
    }

    /// The same of a file record.
    @inline(__always)
    func takes(_ view: borrowing FileView) -> Bool {
        // Nearly all records are somebody else's.
        guard view.header.has(HV_FILE_SPELLED | HV_FILE_CANARY) else { return false }
        return takesMarked(view)
    }

    private func takesMarked(_ view: borrowing FileView) -> Bool {
        let header = view.header
        if header.has(HV_FILE_SPELLED), view.actor.pid == own {
            // Undecided names of our own: the canary's directory is the only place where we act on files.
            switch hv_file_action(view.action) {
            case HV_FILE_RENAME: note(.fileRename, device: view.directoryDevice)
            case HV_FILE_DELETE: note(.fileDelete, device: view.directoryDevice)
            case HV_FILE_MKDIR: note(.fileName, device: view.directoryDevice)
            default: break
            }
            return true
        }
        guard header.has(HV_FILE_CANARY) else { return false }
        let act: CanaryAct? =
            switch hv_file_action(view.action) {
            case HV_FILE_CREATE: .fileCreate
            case HV_FILE_WRITE: header.has(HV_FILE_CLOSED) ? .fileClose : .fileWrite
            case HV_FILE_RENAME: .fileRename
            case HV_FILE_DELETE: .fileDelete
            case HV_FILE_MKDIR: .fileName
            case HV_FILE_CHMOD: .fileAttribute
            case HV_FILE_SETXATTR: .fileExtended
            case HV_FILE_SETFLAGS: .fileFlags
            case HV_FILE_MMAP_WRITE: .fileMap
            default: nil
            }
        // A name that is to come has no object yet, but a folder.
        if let act { note(act, device: view.object.device != 0 ? view.object.device : view.directoryDevice) }
        return true
    }

    /// This process, or a child of it. Of the child that acted nothing is remembered: its number is another process's later.
    private func isOurs(_ actor: borrowing ActorView) -> Bool { actor.pid == own || actor.parentPid == own }

    private func note(_ act: CanaryAct, device: UInt32) {
        guard let index = files.firstIndex(where: { $0.device == device }) ?? (files.count == 1 ? 0 : nil) else {
            // A layer's device under an overlay: whichever still waits for it.
            if let index = files.firstIndex(where: { $0.tried.contains(act) && !$0.fired.contains(act) }) { settle(act, index) }
            return
        }
        settle(act, index)
    }

    private func settle(_ act: CanaryAct, _ index: Int) {
        files[index].fired.insert(act)
        if files.allSatisfy({ $0.untried != nil || !$0.tried.contains(act) || $0.fired.contains(act) }) { fired.insert(act) }
    }
}
