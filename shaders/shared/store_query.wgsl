// Writes what query i$t of head h has gathered, and its log sum exp.
        let to = (b * p.rows + i$t) * width + h * N;
#for d N
        heads_out[to + ${d}u] = o${t}_$d / sum$t;
#end
        lse[(b * p.heads + h) * p.rows + i$t] = top$t + log(sum$t);
