internal import Events
internal import Glibc
internal import KernelABI
internal import Probes
internal import Rings

/// From a file record to the host's paths, and to whether it is watched where the kernel could not settle that.
struct PathResolver: ~Copyable {
    /// The host's mount namespace, and this process's, in which names are resolved here: by rights the same. 0: not known.
    private let ownMountNamespaces: (host: UInt32, process: UInt32)
    /// Of the watch set, as it is during this drain.
    var generation: UInt64 = 0
    /// The last results; their memory is reused from event to event.
    private var path: [UInt8] = []
    private var target: [UInt8] = []
    private var flags: PathFlags = []
    private var targetFlags: PathFlags = []
    private let folders = DirectoryCache()
    private let pathRoom = PathRoom()
    private let targetRoom = PathRoom()

    init() {
        func namespace(_ path: String) -> UInt32 {
            var status = stat()
            return stat(path, &status) == 0 ? UInt32(truncatingIfNeeded: status.st_ino) : 0
        }
        ownMountNamespaces = (namespace("/proc/1/ns/mnt"), namespace("/proc/self/ns/mnt"))
    }

    private func isOwn(mountNamespace: UInt32) -> Bool {
        mountNamespace != 0 && (mountNamespace == ownMountNamespaces.host || mountNamespace == ownMountNamespaces.process)
    }

    /// False: not watched by name. Otherwise `body` gets what was found, beside what was `known`, valid during the call.
    mutating func resolve(
        _ view: borrowing FileView, _ known: borrowing Resolution, _ watch: WatchSet, _ body: (borrowing Resolution) -> Void
    ) -> Bool {
        // Most records have the object's path inside its file system.
        if view.header.has(HV_FILE_SPELLED | HV_FILE_TARGET_SPELLED) { return resolveAny(view, known, watch, body) }
        let action = view.action
        guard action != HV_FILE_PARAMETER.rawValue, action != HV_FILE_MOUNT.rawValue, action != HV_FILE_UMOUNT.rawValue else {
            return resolveAny(view, known, watch, body)
        }
        // From what is known of the folders alone, as most are.
        let device = Self.device(view, known)
        guard let own = folders.path(of: view.inner, device: device, generation: generation, in: pathRoom) else {
            return resolveAny(view, known, watch, body)
        }
        var resolution = copy known
        resolution.path = own.path
        if action == HV_FILE_RENAME.rawValue || action == HV_FILE_LINK.rawValue {
            guard action == HV_FILE_RENAME.rawValue, view.object.mode & S_IFMT != S_IFDIR, view.object.links <= 1,
                let new = folders.path(of: view.targetInner, device: device, generation: generation, in: targetRoom), !new.matters
            else { return resolveAny(view, known, watch, body) }
            resolution.targetPath = new.path
        }
        guard !own.matters, !isUndecided(view, watch) else { return resolveAny(view, known, watch, body) }
        body(resolution)
        return true
    }

    private static func device(_ view: borrowing FileView, _ known: borrowing Resolution) -> UInt32 {
        // What is to be made (a directory, a link) has no object before it is there.
        let own = view.object.device != 0 ? view.object.device : known.object.device
        return own != 0 ? own : view.directoryDevice
    }

    /// The kernel decided by an inode of its own; by a parent's, by a pattern's folder, or not at all, the name decides.
    private func isUndecided(_ view: borrowing FileView, _ watch: WatchSet) -> Bool {
        view.watch == 0 && !view.header.has(HV_FILE_CANARY) || view.header.has(HV_FILE_REFINE) || watch.isRefined(entry: view.watch)
    }

    /// The same of any file record, by paths that the watch set can look at.
    @inline(never)
    private mutating func resolveAny(
        _ view: borrowing FileView, _ known: borrowing Resolution, _ watch: WatchSet, _ body: (borrowing Resolution) -> Void
    ) -> Bool {
        let header = view.header
        let spelled = Int32(header.flags) & HV_FILE_SPELLED != 0
        // A name as a container spells it says nothing of the host's files, unless the kernel settled it by the directory.
        let inOwnNamespace = isOwn(mountNamespace: view.actor.mountNamespace)
        if spelled && view.watch == 0 && !inOwnNamespace { return false }
        path.removeAll(keepingCapacity: true)
        target.removeAll(keepingCapacity: true)
        flags = []
        targetFlags = []
        let device = Self.device(view, known)
        let mounts = view.action == HV_FILE_MOUNT.rawValue || view.action == HV_FILE_UMOUNT.rawValue
        // Whether the watch set has to hear of it.
        var matters = true
        if spelled {
            // Those calls that act on what a link leads to, whatever their flags.
            let follows = [HV_FILE_CHMOD.rawValue, HV_FILE_TRUNCATE.rawValue, HV_FILE_WRITE.rawValue].contains(view.action)
            Self.spelledPath(
                folders, view.name, in: view.inner, view.actorPath, device: view.directoryDevice, process: view.actor.pid, follows: follows, watch,
                into: &path)
        } else if view.action == HV_FILE_PARAMETER.rawValue {
            // There is one of each: a container writes the host's through a procfs of its own.
            path.append(contentsOf: "/proc".utf8)
            view.inner.withUnsafeBytes { path.append(contentsOf: $0) }
        } else if mounts && inOwnNamespace {
            // The table of mounts is another one by now.
            view.actorPath.withUnsafeBytes { path.append(contentsOf: $0) }
        } else {
            matters = Self.hostPath(by: folders, device: device, view.inner, watch, into: &path, &flags)
        }
        let hasTarget = view.action == HV_FILE_RENAME.rawValue || view.action == HV_FILE_LINK.rawValue
        if hasTarget {
            if Int32(header.flags) & HV_FILE_TARGET_SPELLED != 0 {
                Self.spelledPath(
                    folders, view.targetName, in: view.targetInner, view.targetActorPath, device: view.directoryDevice, process: view.actor.pid,
                    follows: false, watch, into: &target)
            } else {
                if Self.hostPath(by: folders, device: device, view.targetInner, watch, into: &target, &targetFlags) { matters = true }
            }
            // Directories and files with other links that move are looked into.
            matters = matters || view.action == HV_FILE_LINK.rawValue || view.object.mode & S_IFMT == S_IFDIR || view.object.links > 1
        }
        if matters { watch.note(action: view.action, path: path, target: target, object: view.object, process: view.actor.pid) }
        if isUndecided(view, watch) {
            guard
                watch.wants(path, action: view.action) || hasTarget && watch.wants(target, action: view.action)
                    || mounts && inOwnNamespace && watch.isOnTheWay(path)
            else { return false }
        }
        var resolution = copy known
        path.withUnsafeBytes { pathBytes in
            target.withUnsafeBytes { targetBytes in
                resolution.path = pathBytes
                resolution.targetPath = targetBytes
                resolution.pathFlags = flags
                resolution.targetPathFlags = targetFlags
                body(resolution)
            }
        }
        return true
    }

    /// A module's file.
    mutating func resolve(_ view: borrowing ModuleView, _ known: Resolution, _ body: (borrowing Resolution) -> Void) {
        path.removeAll(keepingCapacity: true)
        if view.fileInner.byteCount > 0 {
            // Loads are rare: the mounts as they are now.
            let device = view.file.device
            let known = view.fileInner.withUnsafeBytes { MountTable.ofHost().hostPath(device: device, inner: $0, into: &path) { _ in false } }
            if known == nil { path.removeAll(keepingCapacity: true) }
        }
        path.withUnsafeBytes {
            var resolution = known
            resolution.path = $0
            body(resolution)
        }
    }

    /// Empty where the host has no mount that shows it; flagged where another mount lies over the name.
    private static func hostPath(device: UInt32, _ inner: RawSpan, _ watch: WatchSet, into path: inout [UInt8], _ flags: inout PathFlags) {
        // A handle that was gone when its totals were told.
        guard inner.byteCount > 0 else {
            flags = .unreachable
            return
        }
        let reach = inner.withUnsafeBytes { inner in
            watch.mounts.hostPath(device: device, inner: inner, into: &path) { watch.paths.contains($0) }
        }
        if reach == nil { path.removeAll(keepingCapacity: true) }
        if reach != .visible { flags = .unreachable }
    }

    /// The same, from what is known of the folder where it can be.
    ///
    /// - Returns: whether a change of this name may turn watched names elsewhere.
    private static func hostPath(
        by folders: DirectoryCache, device: UInt32, _ inner: RawSpan, _ watch: WatchSet, into path: inout [UInt8], _ flags: inout PathFlags
    ) -> Bool {
        let count = inner.byteCount
        var slash = count
        while slash > 0, inner.unsafeLoad(fromUncheckedByteOffset: slash &- 1, as: UInt8.self) != 0x2f { slash &-= 1 }
        // The root itself, or no path.
        guard slash > 0, slash < count else {
            Self.hostPath(device: device, inner, watch, into: &path, &flags)
            return true
        }
        let generation = watch.generation
        let known: Bool? = inner.withUnsafeBytes { bytes in
            guard let found = folders.find(device: device, UnsafeRawBufferPointer(rebasing: bytes[..<(slash - 1)]), generation: generation) else { return nil }
            path.removeAll(keepingCapacity: true)
            path.append(contentsOf: found.host)
            path.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[(slash - 1)...]))
            return found.matters
        }
        if let known { return known }
        Self.hostPath(device: device, inner, watch, into: &path, &flags)
        let name = count - slash + 1
        guard flags.isEmpty, path.count > name, inner.withUnsafeBytes({ path.suffix(name).elementsEqual($0[(slash - 1)...]) }) else { return true }
        let folder = Array(path.dropLast(name))
        let matters = watch.matters(folder: folder)
        inner.withUnsafeBytes { bytes in
            let own = UnsafeRawBufferPointer(rebasing: bytes[..<(slash - 1)])
            guard !watch.mounts.hasMount(in: folder, device: device, inner: own) else { return }
            folder.withUnsafeBytes { folders.store(device: device, own, host: $0, matters: matters, generation: generation) }
        }
        return matters
    }

    /// A name as the caller spelled it, from the directory it was relative to, or the caller's root. Links in all but its last
    /// component are followed now, which is after the fact: the tracepoint style knows no better.
    ///
    /// - Parameters:
    ///   - process: the caller.
    ///   - follows: its last component is followed as well.
    private static func spelledPath(
        _ folders: DirectoryCache, _ name: RawSpan, in inner: RawSpan, _ actor: RawSpan, device: UInt32, process: UInt32, follows: Bool, _ watch: WatchSet,
        into path: inout [UInt8]
    ) {
        let absolute = name.byteCount > 0 && name.unsafeLoad(as: UInt8.self) == 0x2f
        // The kernel has told what that descriptor is (descriptor_in_name).
        if absolute, let rest = name.withUnsafeBytes(behindDescriptor) {
            var flags: PathFlags = []
            hostPath(device: device, inner, watch, into: &path, &flags)
            if path.isEmpty { actor.withUnsafeBytes { path.append(contentsOf: $0) } }
            guard rest > 0 else { return }
            if path.last != 0x2f { path.append(0x2f) }
            name.withUnsafeBytes { path.append(contentsOf: $0.suffix(rest)) }
            settle(&path, follows: follows, watch)
            return
        }
        if absolute {
            // Its root, where that is another one (chroot).
            actor.withUnsafeBytes { if $0.count > 1 { path.append(contentsOf: $0) } }
        } else {
            var flags: PathFlags = []
            _ = hostPath(by: folders, device: device, inner, watch, into: &path, &flags)
            if path.isEmpty {
                actor.withUnsafeBytes { path.append(contentsOf: $0) }
            }
            if path.last != 0x2f { path.append(0x2f) }
        }
        let start = path.count
        name.withUnsafeBytes { path.append(contentsOf: $0) }
        while path.count > 1 && path.last == 0x2f { path.removeLast() }
        if absolute { ownProc(&path, from: start, process) }
        // A single name in a directory that the kernel walked is whole already.
        let simple = !absolute && name.withUnsafeBytes { !$0.contains(0x2f) && !$0.elementsEqual([0x2e]) && !$0.elementsEqual([0x2e, 0x2e]) }
        if !simple { settle(&path, follows: follows, watch) }
    }

    /// How many bytes of a name stand behind `/proc/self/fd/<number>/`; nil where it is none such, 0 where it is the descriptor itself.
    private static func behindDescriptor(_ name: UnsafeRawBufferPointer) -> Int? {
        let prefix = "/proc/self/fd/".utf8
        guard name.starts(with: prefix) else { return nil }
        let rest = name.dropFirst(prefix.count).drop { (0x30...0x39).contains($0) }
        guard rest.count < name.count - prefix.count, rest.first.map({ $0 == 0x2f }) ?? true else { return nil }
        return max(rest.count - 1, 0)
    }

    /// The directory that a path's last component lies in, by the name that is watched.
    private static func settle(_ path: inout [UInt8], follows: Bool, _ watch: WatchSet) {
        while path.count > 1 && path.last == 0x2f { path.removeLast() }
        if follows, let whole = real(path[...]) {
            path.removeAll(keepingCapacity: true)
            path.append(contentsOf: whole)
        }
        guard let slash = path.lastIndex(of: 0x2f), let directory = real(slash == 0 ? path[...0] : path[..<slash]) else { return }
        let last = Array(path[(slash + 1)...])
        path.removeAll(keepingCapacity: true)
        shown(directory, watch, into: &path)
        if path.last != 0x2f { path.append(0x2f) }
        path.append(contentsOf: last)
    }

    /// What /proc/self is for the caller: it would be this process for `realpath`.
    private static func ownProc(_ path: inout [UInt8], from start: Int, _ process: UInt32) {
        for name in ["/proc/self/", "/proc/thread-self/"] where path[start...].starts(with: name.utf8) {
            let rest = path[(start + name.utf8.count)...]
            // Of a process that has ended this can still be told.
            let replacement = rest.starts(with: "root/".utf8) ? Array(rest.dropFirst(4)) : Array("/proc/\(process)/".utf8) + rest
            path.replaceSubrange(start..., with: replacement)
            return
        }
    }

    private static func real(_ path: ArraySlice<UInt8>) -> [UInt8]? {
        let resolved = (path + [0]).withUnsafeBytes { bytes in
            bytes.baseAddress.flatMap { realpath($0.assumingMemoryBound(to: CChar.self), nil) }
        }
        guard let resolved else { return nil }
        defer { free(resolved) }
        return Array(UnsafeRawBufferPointer(start: resolved, count: strlen(resolved)))
    }

    /// The same directory under the name that is watched: a bind mount shows it under another.
    private static func shown(_ directory: [UInt8], _ watch: WatchSet, into path: inout [UInt8]) {
        var name = hv_name()
        let code = (directory + [0]).withUnsafeBytes { bytes in
            bytes.baseAddress.map { hv_name($0.assumingMemoryBound(to: CChar.self), &name) } ?? -1
        }
        if code == 0, name.mount != 0, let mount = watch.mounts.mount(id: name.mount), directory.starts(with: mount.point) {
            let rest = mount.point.count == 1 ? directory[...] : directory[mount.point.count...]
            let inner = mount.root.count == 1 ? Array(rest) : mount.root + rest
            let reach = (inner.isEmpty ? [0x2f] : inner).withUnsafeBytes { inner in
                watch.mounts.hostPath(device: mount.device, inner: inner, into: &path) { watch.paths.contains($0) }
            }
            if reach == .visible { return }
        }
        path.removeAll(keepingCapacity: true)
        path.append(contentsOf: directory)
    }
}
