// First fit: by priority, then age or deadline, each group gets the first workers, by name, that have room. `firstfit HOST:PORT`
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	pb "crossfleet.example/firstfit/gen/crossfleet/api/scheduler/v1"
)

type firstFit struct {
	pb.UnimplementedSchedulerServiceServer
}

// Describe asks for fits: the coordinator says which workers satisfy what groups ask for, and what is free of each.
func (firstFit) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{Name: "first-fit", Version: "3", SnapshotsOnly: true, WantsFits: true, Abilities: []string{"portions"}}, nil
}

// Schedule answers each snapshot with a plan, and keeps nothing from one to the next.
func (firstFit) Schedule(stream grpc.BidiStreamingServer[pb.ScheduleRequest, pb.ScheduleResponse]) error {
	for {
		update, err := stream.Recv()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if update.GetSnapshot() == nil { // updates of later versions are passed over
			continue
		}
		plan := makePlan(update.GetSnapshot())
		plan.PlanId, plan.BaseRevision = fmt.Sprint("plan-", update.Revision), update.Revision
		if len(plan.Allocate)+len(plan.Waiting) > 0 {
			if err := stream.Send(plan); err != nil {
				return err
			}
		}
	}
}

// makePlan subtracts what it proposes from the snapshot itself.
func makePlan(now *pb.Snapshot) *pb.ScheduleResponse {
	plan, held := &pb.ScheduleResponse{}, map[string]int32{}
	for _, one := range now.Allocations {
		held[one.GroupId] += one.Slots
	}
	since := func(at, due float64) float64 { return min(at, cmp.Or(due, 1e18)-86400) }
	slices.SortFunc(now.Groups, func(a, b *pb.TaskGroup) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(since(a.SubmittedUnixSeconds, a.DeadlineUnixSeconds), since(b.SubmittedUnixSeconds, b.DeadlineUnixSeconds)))
	})
	for _, group := range now.Groups {
		for _, worker := range inOrder(group, now.Fits[group.Fit]) {
			least := min(max(group.Request.GetSlotsMin()-held[group.GroupId], 1), group.WantedSlots)
			slots, devices := room(group, worker, now.Free[worker.WorkerId])
			if slots < max(least, 1) {
				continue
			}
			plan.Allocate = append(plan.Allocate, &pb.ProposedAllocation{
				GroupId: group.GroupId, WorkerId: worker.WorkerId, Slots: slots, DeviceIds: devices})
			take(now, group, worker, slots, devices)
			held[group.GroupId] += slots
			group.WantedSlots -= slots
		}
		if group.WantedSlots > 0 {
			plan.Waiting = append(plan.Waiting, why(group, now.Fits[group.Fit]))
		}
	}
	return plan
}

// inOrder lists the workers that fit by name; where the group failed for the host's sake comes last.
func inOrder(group *pb.TaskGroup, fit *pb.Fit) []*pb.Candidate {
	avoided := func(one *pb.Candidate) int {
		if slices.Contains(group.AvoidWorkerIds, one.WorkerId) {
			return 1
		}
		return 0
	}
	return slices.SortedFunc(slices.Values(fit.GetCandidates()), func(a, b *pb.Candidate) int {
		return cmp.Or(cmp.Compare(avoided(a), avoided(b)), cmp.Compare(a.WorkerId, b.WorkerId))
	})
}

// room finds how many of the slots that a group wants a worker has, and their devices.
func room(group *pb.TaskGroup, worker *pb.Candidate, free *pb.Free) (int32, []string) {
	slots := min(group.WantedSlots, free.Slots)
	if group.Request.GetExclusive() && !free.Idle || group.Request.GetGang() > 1 {
		return 0, nil // gangs, all or nothing on several workers, are beyond this scheduler
	}
	if worker.Millicores > 0 {
		slots = min(slots, free.Millicores/worker.Millicores)
	}
	if worker.MemoryBytes > 0 {
		slots = int32(min(int64(slots), free.MemoryBytes/worker.MemoryBytes))
	}
	devices := slices.Clone(worker.SharedDeviceIds)
	for given := range max(slots, 0) {
		own := choose(worker.Choices, free, devices)
		if len(own) == 0 && len(worker.Choices) > 0 {
			return given, devices
		}
		devices = append(devices, own...)
	}
	return slots, devices
}

// choose picks the devices of one slot beside those that others have taken; none where some are missing.
func choose(choices []*pb.Choice, free *pb.Free, taken []string) (own []string) {
	for _, choice := range choices {
		left := choice.Count
		for _, id := range choice.DeviceIds {
			if left > 0 && !slices.Contains(own, id) && has(choice, free, id, taken) {
				own, left = append(own, id), left-1
			}
		}
		if left > 0 {
			return nil
		}
	}
	return own
}

// has says whether a device is free, or where slots take parts of it, whether enough is left beside what others have taken.
func has(choice *pb.Choice, free *pb.Free, id string, taken []string) bool {
	others := slices.DeleteFunc(slices.Clone(taken), func(one string) bool { return one != id })
	rest, times := free.Left[id], int64(len(others))
	for name, amount := range choice.Takes {
		if rest != nil && rest.Capacities[name] < amount*(times+1) {
			return false
		}
	}
	return rest != nil && len(choice.Takes) > 0 || times == 0 && slices.Contains(free.DeviceIds, id)
}

// take subtracts a proposal from what is free. Who wants a host for himself has all workers on it.
func take(now *pb.Snapshot, group *pb.TaskGroup, worker *pb.Candidate, slots int32, devices []string) {
	free := now.Free[worker.WorkerId]
	free.Slots -= slots
	free.Millicores -= slots * worker.Millicores
	free.MemoryBytes -= int64(slots) * worker.MemoryBytes
	free.DeviceIds = slices.DeleteFunc(free.DeviceIds, func(id string) bool { return slices.Contains(devices, id) })
	for _, choice := range worker.Choices {
		for _, id := range devices {
			if rest := free.Left[id]; rest != nil && len(choice.Takes) == 0 {
				delete(free.Left, id) // a slot has it whole
			} else if rest != nil && slices.Contains(choice.DeviceIds, id) {
				for name, amount := range choice.Takes {
					rest.Capacities[name] -= amount
				}
			}
		}
	}
	for _, other := range now.Free {
		if other.Host == free.Host {
			other.Idle = false
			if group.Request.GetExclusive() {
				other.Slots = 0
			}
		}
	}
}

// why says what a group waits for: what the coordinator says of its fit, where that is all.
func why(group *pb.TaskGroup, fit *pb.Fit) *pb.Waiting {
	told := &pb.Waiting{GroupId: group.GroupId, Kind: pb.WaitingKind_WAITING_KIND_LATER}
	switch {
	case group.Request.GetGang() > 1:
		told.Code, told.Text = "gang", "this scheduler does not place gangs"
	case fit == nil:
		told.Code, told.Text = "queue", "it has not come to its turn"
	default:
		told.Kind, told.Code, told.Text = fit.Waiting.Kind, fit.Waiting.Code, fit.Waiting.Text
	}
	return told
}

func main() {
	listener, err := net.Listen("tcp", append(os.Args, "127.0.0.1:7401")[1])
	if err != nil {
		log.Fatal(err)
	}
	// The coordinator pings every 20 s and sends up to 16 MiB: by themselves gRPC's servers bear 5 minutes and 4 MiB.
	server := grpc.NewServer(grpc.MaxRecvMsgSize(16<<20), grpc.KeepaliveEnforcementPolicy(
		keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}))
	pb.RegisterSchedulerServiceServer(server, firstFit{})
	fmt.Println("serving", listener.Addr())
	log.Fatal(server.Serve(listener))
}
