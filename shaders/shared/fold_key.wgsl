// Folds the key k0.. and value v0.. into query t: its sum sum$t of weights and its weighted values
// o${t}_0.. are relative to the largest score top$t so far, and rescaled when a larger one appears.
        {
            var score = 0.0;
#for d N
            score += product(q${t}_$d, k$d);
#end
            if (score > top$t) {
                let shrink = exp(top$t - score);
                sum$t *= shrink;
#for d N
                o${t}_$d *= shrink;
#end
                top$t = score;
            }
            let weight = exp(score - top$t);
            sum$t += weight;
#for d N
            o${t}_$d += weight * v$d;
#end
        }
