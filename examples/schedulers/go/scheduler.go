// First fit: by priority, then age, each group gets the first workers, by name, that have room. `firstfit HOST:PORT`
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
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	pb "crossfleet.example/firstfit/gen/crossfleet/api/scheduler/v1"
	types "crossfleet.example/firstfit/gen/crossfleet/api/types/v1"
)

type firstFit struct {
	pb.UnimplementedSchedulerServiceServer
}

func (firstFit) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{Name: "first-fit", Version: "1", SnapshotsOnly: true}, nil
}

// Schedule answers each snapshot with a plan. From one to the next it keeps nothing but compiled selectors.
func (firstFit) Schedule(stream grpc.BidiStreamingServer[pb.ScheduleRequest, pb.ScheduleResponse]) error {
	compiled := map[string]selector{}
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
		plan := makePlan(update.GetSnapshot(), compiled)
		plan.PlanId, plan.BaseRevision = fmt.Sprint("plan-", update.Revision), update.Revision
		if len(plan.Allocate)+len(plan.Waiting) > 0 {
			if err := stream.Send(plan); err != nil {
				return err
			}
		}
	}
}

func makePlan(now *pb.Snapshot, compiled map[string]selector) *pb.ScheduleResponse {
	plan, hosts, wishes := &pb.ScheduleResponse{}, map[string]*host{}, map[string]*wish{}
	sites := map[string]*site{}
	for _, worker := range now.Workers {
		name := cmp.Or(worker.Host, "worker "+worker.WorkerId)
		sites[name] = cmp.Or(sites[name], &site{})
		hosts[worker.WorkerId] = &host{Worker: worker, view: view(worker), taken: map[string]bool{}, site: sites[name],
			slots: int64(worker.Slots), cores: millicores(worker.CpuCores), memory: worker.MemoryBytes}
	}
	for _, group := range now.Groups {
		wishes[group.GroupId] = newWish(group, compiled)
	}
	for _, one := range now.Allocations { // closing ones hold as well, and those of groups that are gone
		owner := cmp.Or(wishes[one.GroupId], &wish{})
		owner.held += int64(one.Slots)
		if h := hosts[one.WorkerId]; h != nil {
			h.take(owner, int64(one.Slots), one.DeviceIds)
		}
	}
	slices.SortFunc(now.Workers, func(a, b *types.Worker) int { return cmp.Compare(a.WorkerId, b.WorkerId) })
	slices.SortFunc(now.Groups, func(a, b *pb.TaskGroup) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.SubmittedUnixSeconds, b.SubmittedUnixSeconds))
	})
	for _, group := range now.Groups {
		w := wishes[group.GroupId]
		for _, avoided := range []bool{false, true} { // where it failed for the host's sake comes last
			for _, worker := range now.Workers {
				if w.wanted <= 0 || slices.Contains(group.AvoidWorkerIds, worker.WorkerId) != avoided {
					continue
				}
				if slots, devices := hosts[worker.WorkerId].place(w); slots > 0 {
					plan.Allocate = append(plan.Allocate, &pb.ProposedAllocation{
						GroupId: group.GroupId, WorkerId: worker.WorkerId, Slots: int32(slots), DeviceIds: devices})
					hosts[worker.WorkerId].take(w, slots, devices)
					w.wanted, w.held = w.wanted-slots, w.held+slots
				}
			}
		}
		if w.wanted > 0 {
			plan.Waiting = append(plan.Waiting, why(w, hosts))
		}
	}
	return plan
}

// why says what a group waits for. NEVER makes its run fail: it is for what no worker, idle, could satisfy.
func why(w *wish, hosts map[string]*host) *pb.Waiting {
	misfits := []string{}
	for _, h := range hosts {
		if misfit := h.misfit(w); misfit != "" {
			misfits = append(misfits, misfit)
		}
	}
	told := &pb.Waiting{GroupId: w.GroupId, Kind: pb.WaitingKind_WAITING_KIND_LATER}
	switch {
	case len(hosts) == 0:
		told.Code, told.Text = "no_workers", "the fleet has no workers yet"
	case w.slip != nil: // the coordinator took it: it is this scheduler that lacks something
		told.Code, told.Text = "selector", fmt.Sprint("this scheduler does not understand its selector: ", w.slip)
	case w.Request.GetGang() > 1:
		told.Code, told.Text = "gang", "this scheduler does not place gangs"
	case len(misfits) < len(hosts):
		able := len(hosts) - len(misfits)
		told.Code, told.Text = "busy", fmt.Sprintf("%d of %d workers can take it once they are free", able, len(hosts))
	default:
		slices.Sort(misfits)
		named := strings.Join(slices.Compact(misfits), ", ")
		told.Kind, told.Code = pb.WaitingKind_WAITING_KIND_NEVER, misfits[0]
		told.Text = fmt.Sprintf("no worker of %d can take it, for its %s", len(hosts), named)
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
