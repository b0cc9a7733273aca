// Whether a group fits a worker, as crossfleet-matching says it in Python, and what is left of one.
package main

import (
	"cmp"
	"maps"
	"math"
	"slices"

	pb "crossfleet.example/firstfit/gen/crossfleet/api/scheduler/v1"
	types "crossfleet.example/firstfit/gen/crossfleet/api/types/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

var blocking = []string{"lost", "unhealthy", "quarantined"}     // conditions of devices that get no work
var passing = []string{"quarantined", "disk_full", "upgrading"} // what ends by itself, and is no reason for NEVER

// A wish is a group, what it holds and still wants. slip: why its selectors are not understood.
type wish struct {
	*pb.TaskGroup
	held, wanted int64
	selector     selector
	demands      []demand
	slip         error
}

// A demand is devices that each slot gets, and those of a worker that would do.
type demand struct {
	*types.DeviceRequest
	selector selector
	able     []*types.Device
}

func newWish(group *pb.TaskGroup, compiled map[string]selector) *wish {
	w := &wish{TaskGroup: group, wanted: int64(group.WantedSlots), selector: compile(group.Selector, compiled)}
	asked := group.Request.GetDevices()
	if len(asked) == 0 && w.selector.ofDevice {
		asked = []*types.DeviceRequest{{}}
	}
	w.slip = w.selector.slip
	for _, one := range asked {
		w.demands = append(w.demands, demand{one, compile(one.Selector, compiled), nil})
		w.slip = cmp.Or(w.slip, w.demands[len(w.demands)-1].selector.slip)
	}
	return w
}

// A host is a worker and what is left of it. Cores are counted in thousandths, since sums of floats drift.
type host struct {
	*types.Worker
	view                 map[string]any
	slots, cores, memory int64
	taken                map[string]bool
	site                 *site
}

// A site is the machine that workers share: closed, where somebody has it for himself.
type site struct{ used, closed bool }

func millicores(cores float64) int64 { return int64(math.Round(cores * 1000)) }

func (h *host) slotCores(w *wish) int64 {
	if w.GetRequest().GetCpuCores() > 0 {
		return millicores(w.Request.CpuCores)
	}
	return millicores(h.CpuCores) / max(int64(h.Slots), 1)
}

func (h *host) take(w *wish, slots int64, devices []string) {
	h.slots -= slots
	h.cores -= slots * h.slotCores(w)
	h.memory -= slots * w.GetRequest().GetMemoryBytes()
	for _, id := range devices {
		h.taken[id] = true
	}
	h.site.used, h.site.closed = true, h.site.closed || w.GetRequest().GetExclusive()
}

// room is for how many slots cores and memory do.
func (h *host) room(w *wish, slots, cores, memory int64) int64 {
	if each := h.slotCores(w); each > 0 {
		slots = min(slots, cores/each)
	}
	if each := w.Request.GetMemoryBytes(); each > 0 {
		slots = min(slots, memory/each)
	}
	return slots
}

// place finds as many slots as a group wants and there are, with the devices of each; none where those are too few.
func (h *host) place(w *wish) (slots int64, devices []string) {
	most := min(h.room(w, h.slots, h.cores, h.memory), w.wanted)
	least := min(max(int64(w.Request.GetSlotsMin())-w.held, 1), w.wanted)
	if most < least || h.site.closed || w.slip != nil || w.Request.GetGang() > 1 || w.Request.GetExclusive() && h.site.used ||
		h.State != types.WorkerState_WORKER_STATE_READY {
		return 0, nil
	}
	demands, misfit := h.fit(w, w.Request.GetTolerations())
	if misfit != "" {
		return 0, nil
	} else if len(demands) == 0 {
		return most, nil
	}
	taken := maps.Clone(h.taken)
	for own := choose(demands, taken); own != nil && slots < most; own = choose(demands, taken) {
		for _, id := range own {
			if taken[id] = true; !slices.Contains(devices, id) {
				devices = append(devices, id)
			}
		}
		slots++
	}
	if slots < least {
		return 0, nil
	}
	return slots, devices
}

// choose picks the devices of one slot. Processors serve every slot; nil where some are missing.
func choose(demands []demand, taken map[string]bool) (own []string) {
	for _, one := range demands {
		left := max(one.Count, 1)
		for _, device := range one.able {
			if left > 0 && (shared(device) || !taken[device.DeviceId] && !slices.Contains(own, device.DeviceId)) {
				own, left = append(own, device.DeviceId), left-1
			}
		}
		if left > 0 {
			return nil
		}
	}
	return own
}

func shared(device *types.Device) bool { return device.DeviceClass == "cpu" }

// misfit is what keeps a group off a worker even when that is idle; empty: nothing.
func (h *host) misfit(w *wish) string {
	_, misfit := h.fit(w, slices.Concat(passing, w.Request.GetTolerations()))
	whole := h.room(w, int64(h.Slots), millicores(h.CpuCores), h.MemoryBytes)
	if misfit == "" && whole < int64(max(w.Request.GetSlotsMin(), 1)) {
		return "size"
	}
	return misfit
}

// fit says what keeps a group off a worker, whatever is in use, or else which devices would do for it.
func (h *host) fit(w *wish, tolerated []string) (demands []demand, misfit string) {
	if w.Runner != "" && !slices.Contains(h.Runners, w.Runner) {
		return nil, "runner"
	}
	if !w.selector.ofDevice && !w.selector.holds(h.view) {
		return nil, "selector"
	}
	w.Request.GetGates().ProtoReflect().Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if name := string(field.Name()); name != "wait" && name != "repeats" && !slices.Contains(h.Gates, name) {
			misfit = "gates"
		}
		return misfit == ""
	})
	if misfit != "" {
		return nil, misfit
	}
	bears := func(fact string) bool { return slices.Contains(tolerated, fact) }
	for _, taint := range h.Taints {
		if !bears(taint) && !bears("*") {
			return nil, "taint"
		}
	}
	for _, one := range w.demands {
		for _, processors := range []bool{true, false} { // first what everybody shares
			for i, device := range h.Devices {
				h.view["device"] = h.view["devices"].([]map[string]any)[i]
				broken := slices.ContainsFunc(device.Conditions, func(condition string) bool {
					return slices.Contains(blocking, condition) && !bears(condition)
				})
				ofClass := one.DeviceClass == "" || one.DeviceClass == device.DeviceClass
				if shared(device) == processors && ofClass && !broken && w.selector.holds(h.view) && one.selector.holds(h.view) {
					one.able = append(one.able, device)
				}
			}
		}
		if len(one.able) < int(max(one.Count, 1)) {
			return nil, "devices"
		}
		demands = append(demands, one)
	}
	slices.SortStableFunc(demands, func(a, b demand) int { return cmp.Compare(len(a.able), len(b.able)) })
	return demands, ""
}
