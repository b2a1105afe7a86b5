internal import KernelABI
package import Rings

/// A path of an object with what is to be said of it.
package struct DescribedPath {
    package var bytes: UnsafeRawBufferPointer
    package var flags: PathFlags
}

/// Room for two paths that are put together from a directory and a name, each of up to 64 KiB.
package struct JoinedPaths: ~Copyable {
    static let room = 2 * Int(UInt16.max) + 1
    private let file = UnsafeMutableRawPointer.allocate(byteCount: room, alignment: 8)
    private let target = UnsafeMutableRawPointer.allocate(byteCount: room, alignment: 8)

    package init() {}

    deinit {
        file.deallocate()
        target.deallocate()
    }

    /// `directory/name`, or the name alone where that is absolute.
    func join(_ directory: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer, target isTarget: Bool) -> UnsafeRawBufferPointer {
        guard let nameStart = name.baseAddress, name.count > 0 else { return directory }
        guard let start = directory.baseAddress, directory.count > 0, name[0] != UInt8(ascii: "/") else { return name }
        let room = isTarget ? target : file
        var cursor = Cursor(room)
        cursor.copy(start, directory.count)
        if directory[directory.count - 1] != UInt8(ascii: "/") { cursor.put(UInt8(ascii: "/")) }
        cursor.copy(nameStart, name.count)
        return UnsafeRawBufferPointer(start: room, count: cursor.position - room)
    }
}

extension JoinedPaths {
    /// The host's path where it is known; else the actor's, or the one inside the file system, flagged `unreachable`.
    @inline(__always)
    package func path(_ view: borrowing FileView, _ resolution: borrowing Resolution) -> DescribedPath {
        let innerFlags = view.flags(of: HV_FILE_INNER)
        if resolution.path.count > 0 { return Self.host(resolution.path, resolution.pathFlags, innerFlags) }
        return describe(
            resolution.pathFlags, actor: borrowed(view.actorPath), view.flags(of: HV_FILE_ACTOR), inner: borrowed(view.inner), innerFlags,
            name: borrowed(view.name), spelled: view.header.has(HV_FILE_SPELLED), target: false)
    }

    /// Where it went, or what a symbolic link points to, as that is written in it.
    @inline(__always)
    package func target(_ view: borrowing FileView, _ resolution: borrowing Resolution) -> DescribedPath {
        if view.action == HV_FILE_SYMLINK.rawValue { return DescribedPath(bytes: borrowed(view.text), flags: view.flags(of: HV_FILE_TEXT)) }
        let innerFlags = view.flags(of: HV_FILE_TARGET_INNER)
        if resolution.targetPath.count > 0 { return Self.host(resolution.targetPath, resolution.targetPathFlags, innerFlags) }
        // Most acts have none.
        if view.byteCount(of: HV_FILE_TARGET_ACTOR) | view.byteCount(of: HV_FILE_TARGET_INNER) | view.byteCount(of: HV_FILE_TARGET_NAME) == 0 {
            return DescribedPath(bytes: UnsafeRawBufferPointer(start: nil, count: 0), flags: resolution.targetPathFlags.union(innerFlags))
        }
        return describe(
            resolution.targetPathFlags, actor: borrowed(view.targetActorPath), view.flags(of: HV_FILE_TARGET_ACTOR),
            inner: borrowed(view.targetInner), innerFlags, name: borrowed(view.targetName),
            spelled: view.header.has(HV_FILE_TARGET_SPELLED), target: true)
    }

    @inline(__always)
    package func path(_ view: borrowing ModuleView, _ resolution: borrowing Resolution) -> DescribedPath {
        let innerFlags = view.flags(of: HV_MODULE_FILE_INNER)
        if resolution.path.count > 0 { return Self.host(resolution.path, resolution.pathFlags, innerFlags) }
        return describe(
            resolution.pathFlags, actor: borrowed(view.filePath), view.flags(of: HV_MODULE_FILE), inner: borrowed(view.fileInner),
            innerFlags, name: UnsafeRawBufferPointer(start: nil, count: 0), spelled: false, target: false)
    }

    /// What was cut of the inner path is missing in the host's too; whether the actor reaches it says nothing here.
    @inline(__always)
    private static func host(_ path: UnsafeRawBufferPointer, _ flags: PathFlags, _ innerFlags: StringFlags) -> DescribedPath {
        DescribedPath(bytes: path, flags: flags.union(innerFlags.subtracting(.unreachable)))
    }

    @inline(never)
    private func describe(
        _ hostFlags: PathFlags, actor: UnsafeRawBufferPointer, _ actorFlags: StringFlags, inner: UnsafeRawBufferPointer,
        _ innerFlags: StringFlags, name: UnsafeRawBufferPointer, spelled: Bool, target: Bool
    ) -> DescribedPath {
        let known = actor.count > 0
        let flags = hostFlags.union(known ? actorFlags : innerFlags)
        let bytes = spelled ? join(known ? actor : inner, name, target: target) : known ? actor : inner
        return DescribedPath(bytes: bytes, flags: bytes.count > 0 ? flags.union(.unreachable) : flags)
    }
}
