internal import KernelABI
internal import Rings

/// Which of those that ended are still needed.
extension ProcessTable {
    /// Ended ones with children may be so many more than at the last sweep before there is another.
    private static var sweepAt: Int { 1024 }
    /// Memory is given back behind so many that were removed, and not more often than that, ns.
    private static var trimAt: Int { 1024 }
    private static var trimEvery: UInt64 { 10_000_000_000 }

    mutating func list(_ entry: ProcessEntry.Reference) {
        if entry.pointee.child == nil {
            entry.pointee.flags.insert(.listed)
            ended.append(entry)
        } else {
            entry.pointee.flags.insert(.held)
            held.append(entry)
        }
    }

    mutating func unlist(_ entry: ProcessEntry.Reference) {
        if entry.pointee.flags.contains(.listed) { ended.remove(entry) }
        if entry.pointee.flags.contains(.held) { held.remove(entry) }
        entry.pointee.flags.subtract([.listed, .held])
    }

    mutating func relist(_ entry: ProcessEntry.Reference) {
        unlist(entry)
        list(entry)
    }

    /// Forgets what is not needed any more. Call it now and then.
    package mutating func expire(now: UInt64) {
        while let entry = ended.first, entry.pointee.ended + Self.linger < now { remove(entry) }
        if held.count > 2 * heldAtSweep + Self.sweepAt { sweep() }
        // malloc keeps what lies between blocks that are in use.
        if freedSinceTrim > Self.trimAt, ended.count < 1024, now >= nextTrim {
            freedSinceTrim = 0
            nextTrim = now + Self.trimEvery
            hv_trim_memory()
        }
    }

    /// A place for one more; the longest ended goes for it.
    mutating func makeRoom(_ now: UInt64) -> Bool {
        guard count >= limits.processes else { return true }
        guard let entry = ended.first ?? held.first else { return false }
        if entry.pointee.child != nil || entry.pointee.ended + Self.linger >= now { evicted += 1 }
        while let child = entry.pointee.child { cut(child) }
        remove(entry)
        return true
    }

    /// Its parents are not told beyond it any more.
    mutating func cut(_ entry: ProcessEntry.Reference) {
        unlink(entry)
        entry.pointee.flags.insert(.chainCut)
        touch(entry)
    }

    /// - Parameter entry: without children. Its parent may go with it, and that one's.
    mutating func remove(_ entry: ProcessEntry.Reference) {
        var next: ProcessEntry.Reference? = entry
        while let entry = next {
            next = nil
            unlist(entry)
            let place = bucket(entry.pointee.pid, entry.pointee.start)
            if buckets[place] == entry {
                buckets[place] = entry.pointee.next
            } else {
                var at = buckets[place]
                while let one = at, one.pointee.next != entry { at = one.pointee.next }
                at?.pointee.next = entry.pointee.next
            }
            if let parent = entry.pointee.parent {
                unlink(entry)
                if parent.pointee.child == nil, parent.pointee.ended != 0 {
                    // It ended before what descended from it: its own time is over, or comes.
                    if parent.pointee.ended < entry.pointee.ended { next = parent } else { relist(parent) }
                }
            }
            images.release(entry.pointee.image)
            images.release(entry.pointee.previousImage)
            entry.pointee.tenant?.release()
            entry.deallocate()
            // Whoever keeps what was known of it is to look again.
            _ = newVersion()
            count -= 1
            freedSinceTrim += 1
        }
    }

    /// Cuts chains of ended processes behind the depth to which any living one's parents are told: who forks and exits for ever would
    /// else have them all kept.
    mutating func sweep() {
        sweeps &+= 1
        for bucket in 0...mask {
            var at = buckets[bucket]
            while let entry = at {
                at = entry.pointee.next
                guard entry.pointee.ended == 0 || entry.pointee.flags.contains(.listed) else { continue }
                var depth = 0, up = entry.pointee.parent
                while let parent = up, depth <= limits.ancestors {
                    parent.pointee.mark = sweeps
                    depth += 1
                    up = parent.pointee.parent
                }
            }
        }
        var at = held.first
        while let entry = at {
            at = entry.pointee.behind
            if entry.pointee.mark == sweeps, let parent = entry.pointee.parent, parent.pointee.ended != 0, parent.pointee.mark != sweeps { cut(entry) }
        }
        at = held.first
        while let entry = at {
            at = entry.pointee.behind
            if entry.pointee.child == nil { relist(entry) }
        }
        heldAtSweep = held.count
    }

    /// Those that are alive here and in fact are not have ended: the record of that was lost, or came when they were forgotten already.
    ///
    /// - Parameters:
    ///   - records: of all that are there (`HV_KIND_PROCESS`).
    ///   - time: before they were listed, ns.
    mutating func reconcile(_ records: RawSpan, at time: UInt64) {
        sweeps &+= 1
        ProcessView.each(in: records) { find(pid: $0.actor.pid, start: $0.actor.start)?.pointee.mark = sweeps }
        for bucket in 0...mask {
            var at = buckets[bucket]
            while let entry = at {
                at = entry.pointee.next
                // What /proc alone told of is in no record.
                guard entry.pointee.ended == 0, entry.pointee.mark != sweeps, !entry.pointee.flags.contains(.fromProc),
                    entry.pointee.start + Self.linger < time
                else { continue }
                entry.pointee.ended = time
                list(entry)
            }
        }
    }
}
