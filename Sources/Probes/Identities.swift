internal import CLibbpf
internal import Glibc
internal import KernelABI

/// The key of an inode in the kernel's maps.
struct InodeKey: Hashable, Sendable {
    let inode: UInt64
    let device: UInt32
    let generation: UInt32

    init(_ key: hv_inode_key) {
        inode = key.inode
        device = key.device
        generation = key.generation
    }

    var record: hv_inode_key { hv_inode_key(inode: inode, device: device, generation: generation) }
}

/// Identities as the programs see them, through an iterator over this process's own handles: `stat` tells another device on btrfs and
/// overlayfs, and no generation. Any thread may ask: descriptors that are open have numbers of their own.
final class Identities: Sendable {
    /// Of the iterator's link, from which each reading makes a descriptor.
    private let link: Int32

    /// Handles open at a time; the limit of descriptors is often 1024.
    private static let batch = 256
    /// What was mounted a moment ago may go again at once, and is one of few. Each copy of a mount waits for all processors when it is closed.
    private static let few = 16

    /// - Returns: nil where the kernel does not attach it.
    init?(_ program: OpaquePointer) {
        let descriptor = bpf_program__fd(program)
        // Only this process's handles, where the kernel can (6.1).
        var own = bpf_iter_link_info()
        own.task.pid = UInt32(getpid())
        let made = withUnsafeMutablePointer(to: &own) { own in
            var options = bpf_link_create_opts()
            options.sz = MemoryLayout<bpf_link_create_opts>.size
            options.iter_info = own
            options.iter_info_len = UInt32(MemoryLayout<bpf_iter_link_info>.size)
            return bpf_link_create(descriptor, 0, BPF_TRACE_ITER, &options)
        }
        link = made >= 0 ? made : bpf_link_create(descriptor, 0, BPF_TRACE_ITER, nil)
        guard link >= 0 else { return nil }
    }

    deinit { close(link) }

    /// By the index of the path; no entry for those that can't be opened. No handle stays open: one would block an umount.
    func of(_ paths: [[UInt8]]) -> [Int: InodeKey] {
        var found: [Int: InodeKey] = [:]
        found.reserveCapacity(paths.count)
        var start = 0
        while start < paths.count {
            let end = min(start + Self.batch, paths.count)
            read(paths, start..<end, into: &found)
            start = end
        }
        return found
    }

    private func read(_ paths: [[UInt8]], _ range: Range<Int>, into found: inout [Int: InodeKey]) {
        var opened: [UInt32: Int] = [:]
        defer { opened.keys.forEach { close(Int32($0)) } }
        for index in range {
            let descriptor = withPath(paths[index]) { paths.count <= Self.few ? hv_open_unpinned($0) : hv_open_path($0) }
            if descriptor >= 0 { opened[UInt32(descriptor)] = index }
        }
        guard !opened.isEmpty else { return }
        let iterator = bpf_iter_create(link)
        guard iterator >= 0 else { return }
        defer { close(iterator) }
        guard let bytes = readBytes(from: iterator) else { return }
        bytes.withUnsafeBytes { bytes in
            for offset in stride(from: 0, through: bytes.count - MemoryLayout<hv_identity>.size, by: MemoryLayout<hv_identity>.size) {
                let identity = bytes.loadUnaligned(fromByteOffset: offset, as: hv_identity.self)
                if let index = opened[identity.fd] { found[index] = InodeKey(identity.key) }
            }
        }
    }
}
