internal import KernelABI
internal import Rings

/// What processes run.
extension ProcessTable {
    mutating func makeImage(
        _ object: hv_object, _ ctime: UInt64, _ path: RawSpan, _ arguments: UnsafeRawBufferPointer, _ flags: Image.Flags
    ) -> UnsafeMutablePointer<Image> {
        var flags = flags
        let kept = UnsafeRawBufferPointer(rebasing: arguments.prefix(limits.arguments))
        if kept.count < arguments.count { flags.insert(.argumentsCut) }
        // The view's own memory, lent for this call.
        let path = path.withUnsafeBytes { $0 }
        return images.make(object: object, ctime: ctime, path: path, arguments: kept, flags: flags, version: newVersion())
    }

    /// What it ran at a time. Further back than the one before the last nothing is known.
    @inline(__always)
    func image(of entry: ProcessEntry.Reference, at time: UInt64) -> UnsafeMutablePointer<Image>? {
        if time >= entry.pointee.imageSince { return entry.pointee.image }
        return time >= entry.pointee.previousSince ? entry.pointee.previousImage : nil
    }

    /// It has executed something. Takes over the reference.
    mutating func run(_ image: UnsafeMutablePointer<Image>, _ entry: ProcessEntry.Reference, since time: UInt64) {
        if time >= entry.pointee.imageSince {
            images.release(entry.pointee.previousImage)
            entry.pointee.previousImage = entry.pointee.image
            entry.pointee.previousSince = entry.pointee.imageSince
            entry.pointee.image = image
            entry.pointee.imageSince = time
        } else if time >= entry.pointee.previousSince {
            // An earlier one that comes late.
            images.release(entry.pointee.previousImage)
            entry.pointee.previousImage = image
            entry.pointee.previousSince = time
        } else {
            images.release(image)
            return
        }
        touch(entry)
        // One that comes behind a fork that it was before.
        if time < entry.pointee.lastForkAt { settleChildren(of: entry) }
    }

    /// Until it executes something a process runs what its parent ran when it forked it, of which a record may come later than the fork's.
    mutating func settle(_ entry: ProcessEntry.Reference, _ parent: ProcessEntry.Reference) {
        guard entry.pointee.forkedAt != 0, let inherited = image(of: parent, at: entry.pointee.forkedAt) else { return }
        inherit(entry, inherited)
    }

    /// It runs that, or did before its first exec.
    mutating func inherit(_ entry: ProcessEntry.Reference, _ inherited: UnsafeMutablePointer<Image>?) {
        if entry.pointee.imageSince == 0 {
            guard entry.pointee.image != inherited else { return }
            images.release(entry.pointee.image)
            entry.pointee.image = images.retain(inherited)
        } else {
            guard entry.pointee.previousSince == 0, entry.pointee.previousImage != inherited else { return }
            images.release(entry.pointee.previousImage)
            entry.pointee.previousImage = images.retain(inherited)
        }
        touch(entry)
        settleChildren(of: entry)
    }

    mutating func settleChildren(of parent: ProcessEntry.Reference) {
        var at = parent.pointee.child
        while let child = at {
            at = child.pointee.sibling
            settle(child, parent)
        }
    }
}
