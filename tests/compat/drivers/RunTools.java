import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.FileOutputStream;
import java.io.FileDescriptor;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;

import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache Kafka's command-line tools one after the other in one machine, which starts once.
 *
 * Asked on stdin: the number of words, then each as its length and UTF-8: the main class and what it is
 * told. Answered on stdout: exit code, then stdout and stderr, each as its length and bytes.
 */
public final class RunTools {
    private static ByteArrayOutputStream out;
    private static ByteArrayOutputStream err;
    private static CompletableFuture<Integer> ended;

    public static void main(String[] nothing) throws Exception {
        DataInputStream asked = new DataInputStream(System.in);
        DataOutputStream answers = new DataOutputStream(
            new BufferedOutputStream(new FileOutputStream(FileDescriptor.out)));
        System.setIn(InputStream.nullInputStream());
        Exit.setExitProcedure((code, message) -> end(code));
        Exit.setHaltProcedure((code, message) -> end(code));
        while (true) {
            String[] words;
            try {
                words = new String[asked.readInt()];
            } catch (EOFException end) {
                Runtime.getRuntime().halt(0);
                return;
            }
            for (int at = 0; at < words.length; at++) {
                byte[] word = new byte[asked.readInt()];
                asked.readFully(word);
                words[at] = new String(word, StandardCharsets.UTF_8);
            }
            out = new ByteArrayOutputStream();
            err = new ByteArrayOutputStream();
            ended = new CompletableFuture<>();
            System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
            Thread tool = new Thread(() -> run(words));
            tool.setDaemon(true);
            tool.start();
            answers.writeInt(ended.get());
            for (ByteArrayOutputStream stream : new ByteArrayOutputStream[] {out, err}) {
                byte[] bytes = stream.toByteArray();
                answers.writeInt(bytes.length);
                answers.write(bytes);
            }
            answers.flush();
        }
    }

    /** Like the end of a process: nothing of the tool runs after it, no catch and no finally. */
    private static void end(int code) {
        if (!ended.complete(code)) {
            return;
        }
        while (true) {
            LockSupport.park();
        }
    }

    private static void run(String[] words) {
        try {
            Object arguments = Arrays.copyOfRange(words, 1, words.length);
            Class.forName(words[0]).getMethod("main", String[].class).invoke(null, arguments);
            ended.complete(0);
        } catch (InvocationTargetException thrown) {
            thrown.getCause().printStackTrace();
            ended.complete(1);
        } catch (ReflectiveOperationException missing) {
            missing.printStackTrace();
            ended.complete(1);
        }
    }
}
