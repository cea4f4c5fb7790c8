#!/usr/bin/env bash
# Every run of the tables in docs/benchmarks.md, one after another; a result that is there stays.
#   benchmarks/libraries/all.sh BEAUTY_FOLDER ML100K_FOLDER [quick|deep|ours|ratings ...]
# quick: about an hour; deep: up to an hour each, on quiet cores. THREADS (2) is what each run gets;
# with THREADS=1 two of them may go side by side, a core each:
#   THREADS=1 taskset -c 0 benchmarks/libraries/all.sh BEAUTY_FOLDER ML100K_FOLDER deep
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
beauty=$1 ratings=$2
shift 2
parts=${*:-quick ratings ours deep}

run() { # LIBRARY MODEL FOLDER [options]
  local library=$1 model=$2 data=$3
  shift 3
  .venv/bin/python benchmarks/libraries/run.py --keep --threads "${THREADS:-2}" --library "$library" --model "$model" --data "$data" "$@"
}

quick() { # solved or fitted in minutes; the settings of the package and some others
  run implicit iALS "$beauty" --trials 13
  run implicit BPR "$beauty" --trials 9
  run implicit BM25 "$beauty" --trials 12
  run implicit LMF "$beauty" --trials 4
  run rectools EASE "$beauty" --trials 5
  run cornac EASE "$beauty" --trials 5
  run recbole EASE "$beauty"
  run cornac BPR "$beauty" --trials 8
}

deep() { # published settings, early stopping, cut off after an hour
  run rectools SASRec "$beauty"
  run recbole SASRec "$beauty"
  run recbole GRU4Rec "$beauty"
  run recbole BERT4Rec "$beauty"
  run rectools BERT4Rec "$beauty"
  run rectools HSTU "$beauty"
  run rectools SASRec-defaults "$beauty"
  run recbole LightGCN "$beauty"
  run recbole BPR "$beauty"
  run recbole NeuMF "$beauty" --every 10
  run cornac NeuMF "$beauty"
}

ours() { # three seeds; then fits of few epochs, for seconds against accuracy
  for seed in 0 1 2; do
    run plait sequence "$beauty" --seed "$seed"
    run plait graph "$beauty" --seed "$seed"
    for network in gru bert4rec hstu; do
      run plait sequence "$beauty" --seed "$seed" --label "$network" \
        --settings "{\"network\": \"$network\"}"
    done
    for method in ials bpr neumf; do
      run plait factors "$beauty" --seed "$seed" --label "$method" \
        --settings "{\"method\": \"$method\"}"
    done
  done
  run plait linear "$beauty"
  run plait linear "$beauty" --label ease --settings '{"order_aware": false}'
  run plait neighbours "$beauty"
  run plait sequence "$beauty" --label ladder --ladder 2,4,5,6,8,25
  for seed in 1 2; do run plait sequence "$beauty" --seed "$seed" --label ladder --ladder 6,8,10; done
}

ratings() {
  for model in BaselineOnly KNNBaseline SVD; do run surprise $model "$ratings" --trials 12; done
  run surprise SVDpp "$ratings" --trials 4
  for model in BaselineOnly MF; do run cornac $model "$ratings" --trials 12; done
  for seed in 0 1 2; do
    run plait ratings "$ratings" --seed "$seed"
    for method in mf svdpp; do
      run plait factors "$ratings" --seed "$seed" --label "$method" \
        --settings "{\"method\": \"$method\"}"
    done
  done
}

for part in $parts; do "$part"; done
