internal import Events
internal import Glibc
internal import KernelABI
internal import Probes
internal import Rings

/// From a file record to the host's paths, and to whether it is watched where the kernel could not settle that.
struct PathResolver {
    /// The host's mount namespace, and this process's, in which names are resolved here: by rights the same.
    private let ownMountNamespaces: [UInt32] = ["/proc/1/ns/mnt", "/proc/self/ns/mnt"].compactMap { path in
        var status = stat()
        return stat(path, &status) == 0 ? UInt32(truncatingIfNeeded: status.st_ino) : nil
    }
    /// The last results; their memory is reused from event to event.
    private var path: [UInt8] = []
    private var target: [UInt8] = []
    private var flags: PathFlags = []
    private var targetFlags: PathFlags = []

    /// False: not watched by name. Otherwise `body` gets what was found, valid during the call.
    mutating func resolve(_ view: borrowing FileView, _ watch: WatchSet, _ body: (borrowing Resolution) -> Void) -> Bool {
        let header = view.header
        let spelled = Int32(header.flags) & HV_FILE_SPELLED != 0
        // A name as a container spells it says nothing of the host's files, unless the kernel settled it by the directory.
        if spelled && view.watch == 0 && !ownMountNamespaces.contains(view.actor.mountNamespace) { return false }
        path.removeAll(keepingCapacity: true)
        target.removeAll(keepingCapacity: true)
        flags = []
        targetFlags = []
        let device = view.object.device
        if spelled {
            Self.spelledPath(view.name, in: view.inner, view.actorPath, device: view.directoryDevice, watch, into: &path)
        } else if !Self.hostPath(device: device, view.inner, watch, into: &path) {
            path.removeAll(keepingCapacity: true)
            flags = .unreachable
        }
        let renamed = view.action == HV_FILE_RENAME.rawValue
        if renamed {
            if Int32(header.flags) & HV_FILE_TARGET_SPELLED != 0 {
                Self.spelledPath(view.targetName, in: view.targetInner, view.targetActorPath, device: view.directoryDevice, watch, into: &target)
            } else if !Self.hostPath(device: device, view.targetInner, watch, into: &target) {
                target.removeAll(keepingCapacity: true)
                targetFlags = .unreachable
            }
        }
        // The kernel decided by an inode of its own; by a parent's, or not at all, the name decides.
        if view.watch == 0 && Int32(header.flags) & HV_FILE_CANARY == 0 || Int32(header.flags) & HV_FILE_REFINE != 0 {
            guard watch.paths.contains(path) || renamed && watch.paths.contains(target) else { return false }
        }
        path.withUnsafeBytes { pathBytes in
            target.withUnsafeBytes { targetBytes in
                var resolution = Resolution()
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
    mutating func resolve(_ view: borrowing ModuleView, _ body: (borrowing Resolution) -> Void) {
        path.removeAll(keepingCapacity: true)
        if view.fileInner.byteCount > 0 {
            // Loads are rare: the mounts as they are now.
            let device = view.file.device
            let known = view.fileInner.withUnsafeBytes { MountTable.ofHost().hostPath(device: device, inner: $0, into: &path) { _ in false } }
            if !known { path.removeAll(keepingCapacity: true) }
        }
        path.withUnsafeBytes {
            var resolution = Resolution()
            resolution.path = $0
            body(resolution)
        }
    }

    private static func hostPath(device: UInt32, _ inner: RawSpan, _ watch: WatchSet, into path: inout [UInt8]) -> Bool {
        inner.withUnsafeBytes { inner in
            watch.mounts.hostPath(device: device, inner: inner, into: &path) { watch.paths.contains($0) }
        }
    }

    /// A name as the caller spelled it, from the directory it was relative to. Links in all but its last component are followed
    /// now, which is after the fact: the tracepoint style knows no better.
    private static func spelledPath(
        _ name: RawSpan, in inner: RawSpan, _ actor: RawSpan, device: UInt32, _ watch: WatchSet, into path: inout [UInt8]
    ) {
        let absolute = name.byteCount > 0 && name.unsafeLoad(as: UInt8.self) == 0x2f
        if !absolute {
            if !hostPath(device: device, inner, watch, into: &path) {
                path.removeAll(keepingCapacity: true)
                actor.withUnsafeBytes { path.append(contentsOf: $0) }
            }
            if path.last != 0x2f { path.append(0x2f) }
        }
        name.withUnsafeBytes { path.append(contentsOf: $0) }
        while path.count > 1 && path.last == 0x2f { path.removeLast() }
        // A single name in a directory that the kernel walked is whole already.
        let simple = !absolute && name.withUnsafeBytes { !$0.contains(0x2f) }
        guard !simple, let slash = path.lastIndex(of: 0x2f) else { return }
        let last = Array(path[(slash + 1)...])
        var directory = Array(path[..<slash])
        if directory.isEmpty { directory = [0x2f] }
        directory.append(0)
        let resolved = directory.withUnsafeBytes { realpath($0.baseAddress!.assumingMemoryBound(to: CChar.self), nil) }
        guard let resolved else { return }
        defer { free(resolved) }
        path.removeAll(keepingCapacity: true)
        path.append(contentsOf: UnsafeRawBufferPointer(start: resolved, count: strlen(resolved)))
        if path.last != 0x2f { path.append(0x2f) }
        path.append(contentsOf: last)
    }
}
