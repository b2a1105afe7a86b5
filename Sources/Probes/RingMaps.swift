internal import CLibbpf
internal import Glibc
package import KernelABI
package import Rings

/// The maps that all families share: the rings, in an array of maps, and the kernel's counters, both mapped into this process.
package final class RingMaps {
    /// Descriptors of the rings; index 0 is the priority ring.
    package let rings: [Int32]
    let outer: Int32
    let counters: Int32
    /// The kernel's table of cgroups (`hv_tenant` by id), and how many it takes.
    let tenants: Int32
    let tenantsMax: Int
    /// `cpus * HV_RINGS_MAX` entries.
    private let counterBase: UnsafeRawPointer
    private let cpus: Int
    private var mappings: [(UnsafeMutableRawPointer, Int)] = []

    /// - Parameters:
    ///   - prioritySize, bulkSize: bytes, powers of two, at least a page.
    ///   - cpus: CPUs that the kernel may bring online.
    ///   - tenants: entries of the table of cgroups.
    init(prioritySize: Int, bulkSize: Int, bulkCount: Int, cpus: Int, tenants tenantsMax: Int) throws(ProbeError) {
        self.cpus = cpus
        self.tenantsMax = tenantsMax
        var made: [Int32] = []
        for index in 0...bulkCount {
            let size = index == 0 ? prioritySize : bulkSize
            let ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "hv_ring", 0, 0, UInt32(size), nil)
            guard ring >= 0 else {
                made.forEach { close($0) }
                throw ProbeError.map("hv_ring (\(size) bytes)", errno: -ring)
            }
            made.append(ring)
        }
        rings = made

        var options = bpf_map_create_opts()
        options.sz = MemoryLayout<bpf_map_create_opts>.size
        options.inner_map_fd = UInt32(made[0])
        outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "hv_rings", 4, 4, UInt32(HV_RINGS_MAX), &options)
        guard outer >= 0 else { throw ProbeError.map("hv_rings", errno: -outer) }
        for (index, ring) in made.enumerated() {
            var key = UInt32(index), value = UInt32(ring)
            let result = bpf_map_update_elem(outer, &key, &value, 0)
            guard result == 0 else { throw ProbeError.map("hv_rings", errno: -result) }
        }

        tenants = bpf_map_create(BPF_MAP_TYPE_HASH, "hv_tenants", 8, UInt32(MemoryLayout<hv_tenant>.size), UInt32(tenantsMax), nil)
        guard tenants >= 0 else { throw ProbeError.map("hv_tenants (\(tenantsMax) cgroups)", errno: -tenants) }

        var mappable = bpf_map_create_opts()
        mappable.sz = MemoryLayout<bpf_map_create_opts>.size
        mappable.map_flags = 1024  // BPF_F_MMAPABLE, an enumerator of an anonymous enum in linux/bpf.h
        let entries = cpus * Int(HV_RINGS_MAX)
        counters = bpf_map_create(
            BPF_MAP_TYPE_ARRAY, "hv_counters", 4, UInt32(MemoryLayout<hv_counter>.size), UInt32(entries), &mappable)
        guard counters >= 0 else { throw ProbeError.map("hv_counters", errno: -counters) }
        guard let base = mmap(nil, entries * MemoryLayout<hv_counter>.stride, PROT_READ, MAP_SHARED, counters, 0), base != MAP_FAILED else {
            throw ProbeError.map("hv_counters", errno: errno)
        }
        counterBase = UnsafeRawPointer(base)
        mappings.append((base, entries * MemoryLayout<hv_counter>.stride))
    }

    deinit {
        for (address, length) in mappings { munmap(address, length) }
        (rings + [outer, counters, tenants]).forEach { close($0) }
    }

    /// A reader of one ring, over pages that live as long as this object.
    package func reader(ring: Int, size: Int) throws(ProbeError) -> RingReader {
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        guard let consumer = mmap(nil, page, PROT_READ | PROT_WRITE, MAP_SHARED, rings[ring], 0), consumer != MAP_FAILED else {
            throw ProbeError.map("hv_ring", errno: errno)
        }
        mappings.append((consumer, page))
        // The producer's page, then the data, twice, so that a record that wraps is contiguous (kernel/bpf/ringbuf.c).
        let length = page + 2 * size
        guard let producer = mmap(nil, length, PROT_READ, MAP_SHARED, rings[ring], page), producer != MAP_FAILED else {
            throw ProbeError.map("hv_ring", errno: errno)
        }
        mappings.append((producer, length))
        return RingReader(consumer: consumer, producer: UnsafeRawPointer(producer), data: UnsafeRawPointer(producer) + page, size: size)
    }

    /// What the kernel side counted for a ring on a CPU. Numbers may be a little behind one another: they are not read at one instant.
    package func counter(ring: Int, cpu: Int) -> hv_counter {
        precondition(cpu < cpus && ring < Int(HV_RINGS_MAX))
        return counterBase.loadUnaligned(
            fromByteOffset: (cpu * Int(HV_RINGS_MAX) + ring) * MemoryLayout<hv_counter>.stride, as: hv_counter.self)
    }
}
